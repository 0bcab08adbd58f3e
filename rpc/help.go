package rpc

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// categoryHidden is the category of methods that the list leaves out.
const categoryHidden = "hidden"

// synopsis returns the method with its arguments on one line, the optional ones in parentheses.
func (m *Method) synopsis() string {
	var w strings.Builder
	w.WriteString(m.Name)
	optional := false
	for _, a := range m.Args {
		if a.Hidden {
			break
		}
		w.WriteByte(' ')
		switch {
		case !a.Required && !optional:
			w.WriteString("( ")
		case a.Required && optional:
			w.WriteString(") ")
		}
		optional = !a.Required
		w.WriteString(a.sample())
	}
	if optional {
		w.WriteString(" )")
	}
	return w.String()
}

// sample returns the argument as it stands in the synopsis.
func (a *Arg) sample() string {
	switch {
	case a.Sample != "":
		return a.Sample
	case a.Type == ArgString || a.Type == ArgHex:
		return `"` + a.Name + `"`
	case a.Type == ArgArray:
		return "[...]"
	case a.Type == ArgObject:
		return "{...}"
	}
	return a.Name
}

// usage returns the help of one method: synopsis, description, arguments and result.
func (m *Method) usage() string {
	var w strings.Builder
	w.WriteString(m.synopsis() + "\n\n" + strings.TrimSpace(m.Help) + "\n")
	width := 0
	for i, a := range m.Args {
		width = max(width, len(strconv.Itoa(i+1))+len(". ")+len(a.Name))
	}
	for i, a := range m.Args {
		if a.Hidden {
			break
		}
		if i == 0 {
			w.WriteString("\nArguments:\n")
		}
		left := strconv.Itoa(i+1) + ". " + a.Name
		w.WriteString(left + strings.Repeat(" ", width-len(left)+4) + a.describe(width+4) + "\n")
	}
	if m.Result != "" {
		w.WriteString("\nResult:\n" + m.Result + "\n")
	}
	return w.String()
}

// describe returns the argument's type and help. Further lines are indented.
func (a *Arg) describe(indent int) string {
	kind := argTypes[a.Type].name
	switch {
	case a.Required:
		kind += ", required"
	case a.Default != "":
		kind += ", optional, default=" + a.Default
	default:
		kind += ", optional"
	}
	text := "(" + kind + ") " + a.Help
	return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", indent))
}

// help returns the list of all methods by category, or the usage of the named one.
func (t table) help(name string) string {
	if name != "" {
		if m, ok := t[name]; ok {
			return strings.TrimSuffix(m.usage(), "\n")
		}
		return "help: unknown command: " + name
	}
	var rows []*Method
	for _, m := range t {
		if m.Category != categoryHidden {
			rows = append(rows, m)
		}
	}
	slices.SortFunc(rows, func(a, b *Method) int {
		return cmp.Or(cmp.Compare(a.Category, b.Category), cmp.Compare(a.Name, b.Name))
	})
	var w strings.Builder
	category := ""
	for _, m := range rows {
		if m.Category != category {
			if category != "" {
				w.WriteString("\n")
			}
			category = m.Category
			w.WriteString("== " + strings.ToUpper(category[:1]) + category[1:] + " ==\n")
		}
		w.WriteString(m.synopsis() + "\n")
	}
	return strings.TrimSuffix(w.String(), "\n")
}
