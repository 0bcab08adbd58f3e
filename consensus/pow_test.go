package consensus

import (
	"bufio"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestCompactBits(t *testing.T) {
	// Bitcoin Core, arith_uint256_tests.cpp: bigint_SetCompact
	for _, c := range []struct {
		in   uint32
		want string // of the number; empty if it is no target
		out  uint32
	}{
		{0, "", 0}, {0x00123456, "", 0}, {0x01003456, "", 0}, {0x02000056, "", 0}, {0x03000000, "", 0}, {0x00923456, "", 0}, {0x01803456, "", 0},
		{0x01123456, "12", 0x01120000}, {0x02008000, "80", 0x02008000}, {0x02123456, "1234", 0x02123400},
		{0x03123456, "123456", 0x03123456}, {0x04123456, "12345600", 0x04123456}, {0x05009234, "92340000", 0x05009234},
		{0x20123456, "1234560000000000000000000000000000000000000000000000000000000000", 0x20123456},
		{0x22000001, "1" + strings.Repeat("0", 62), 0x20010000}, {0x23000001, "", 0}, // ours: the largest sizes
		{0x21000100, "1" + strings.Repeat("0", 62), 0x20010000}, {0x22000100, "", 0}, {0x20010000, "1" + strings.Repeat("0", 62), 0x20010000}, {0x21010000, "", 0},
		{0x04923456, "", 0}, {0x01fedcba, "", 0}, {0xff123456, "", 0},
	} {
		target, ok := expandBits(c.in)
		if !ok {
			if c.want != "" {
				t.Errorf("%08x is refused", c.in)
			}
			continue
		}
		if got := target.Text(16); got != c.want || compactBits(target) != c.out {
			t.Errorf("%08x: %s, %08x", c.in, got, compactBits(target))
		}
	}
}

func TestRetarget(t *testing.T) {
	// Bitcoin Core, pow_tests.cpp: real and made-up ends of periods.
	for _, c := range []struct {
		name        string
		first, last int64
		bits, want  uint32
	}{
		{"block 32255", 1261130161, 1262152739, 0x1d00ffff, 0x1d00d86a},
		{"block 2015: stays at the highest target", 1231006505, 1233061996, 0x1d00ffff, 0x1d00ffff},
		{"block 68543: a quarter at most", 1279008237, 1279297671, 0x1c05a3f4, 0x1c0168fd},
		{"block 46367: four times at most", 1263163443, 1269211443, 0x1c387f6f, 0x1d00e1fd},
	} {
		p := Bitcoin()
		s := State{params: p, Height: 2015, periodStart: uint32(c.first)}
		s.Header.Bits, s.Header.Timestamp = c.bits, time.Unix(c.last, 0)
		if got := s.NextBits(); got != c.want {
			t.Errorf("%s: %08x, want %08x", c.name, got, c.want)
		}
		s.Height = 2014
		if got := s.NextBits(); got != c.bits {
			t.Errorf("%s: changes inside of a period to %08x", c.name, got)
		}
	}
}

// asertExact computes the target in rational arithmetic with the same cubic, to hold the fixed-point code against.
func asertExact(p *Params, a anchor, height, timestamp int64) uint32 {
	ahead := big.NewInt(timestamp - a.parentTime - int64(p.BlockInterval/time.Second)*(height-a.height+1))
	exponent := new(big.Int).Quo(ahead.Lsh(ahead, 16), big.NewInt(int64(p.HalfLife/time.Second)))
	whole, f := new(big.Int).DivMod(exponent, big.NewInt(65536), new(big.Int))
	cubic := new(big.Int)
	power := big.NewInt(1)
	for _, c := range []int64{0, 195_766_423_245_049, 971_821_376, 5_127} {
		cubic.Add(cubic, new(big.Int).Mul(big.NewInt(c), power))
		power.Mul(power, f)
	}
	cubic.Add(cubic, big.NewInt(1<<47)).Rsh(cubic, 48).Add(cubic, big.NewInt(65536))
	target, _ := expandBits(a.bits)
	num := new(big.Int).Mul(target, cubic)
	den := big.NewInt(65536)
	if n := whole.Int64(); n >= 0 {
		num.Lsh(num, uint(n))
	} else {
		den.Lsh(den, uint(-n))
	}
	return compactBits(clampTarget(p, num.Div(num, den)))
}

func TestASERTAgainstExactArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := Main()
	for range 20_000 {
		a := anchor{height: r.Int64N(1000), parentTime: 1_700_000_000 + r.Int64N(1e6), bits: 0x1b00ffff + r.Uint32N(0x03000000)&0x03000000 + r.Uint32N(1000)}
		height := a.height + r.Int64N(1_000_000)
		at := a.parentTime + (height-a.height)*60 + r.Int64N(800_000) - 400_000
		if got, want := asert(p, a, height, at), asertExact(p, a, height, at); got != want {
			t.Fatalf("anchor %+v, height %d, time %d: %08x, want %08x", a, height, at, got, want)
		}
	}
	far := anchor{bits: p.PowLimitBits}
	if got := asert(p, far, 0, 1<<32); got != p.PowLimitBits {
		t.Errorf("ages behind the schedule: %08x", got)
	}
	if got := asert(p, far, 1<<30, 0); got != 0x01010000 {
		t.Errorf("ages ahead of the schedule: %08x", got)
	}
}

// TestASERTVectors runs the published vectors of aserti3-2d, 12 files of a header and a line per block: number, height, time and the bits
// of the block after it. They are not part of the project: ASERT_VECTORS names their folder.
func TestASERTVectors(t *testing.T) {
	dir := os.Getenv("ASERT_VECTORS")
	if dir == "" {
		t.Skip("set ASERT_VECTORS to the folder of the published vectors (run01 to run12); TestASERTAgainstExactArithmetic ran without them")
	}
	files, err := filepath.Glob(filepath.Join(dir, "run*"))
	if err != nil || len(files) != 12 {
		t.Fatalf("%d files in %s, want 12: %v", len(files), dir, err)
	}
	p := &Params{PowLimitBits: 0x1d00ffff, BlockInterval: 10 * time.Minute, HalfLife: 48 * time.Hour}
	checked := 0
	for _, name := range files {
		checked += asertFile(t, p, name)
	}
	if checked != 14_000 {
		t.Errorf("checked %d lines, want 14,000", checked)
	}
}

func asertFile(t *testing.T, p *Params, name string) (checked int) {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var a anchor
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if key, value, ok := strings.Cut(strings.TrimLeft(line, "# "), ":"); ok && strings.HasPrefix(line, "#") {
			switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
			case "anchor height":
				a.height = number(t, value)
			case "anchor ancestor time", "anchor parent time":
				a.parentTime = number(t, value)
			case "anchor nBits":
				a.bits = uint32(number(t, value))
			}
			continue
		}
		if fields := strings.Fields(line); len(fields) == 4 && !strings.HasPrefix(line, "#") {
			if got, want := asert(p, a, number(t, fields[1]), number(t, fields[2])), uint32(number(t, fields[3])); got != want {
				t.Fatalf("%s: %s: %08x", name, line, got)
			}
			checked++
		}
	}
	return checked
}

// number reads a number; one of the files counts heights across the largest signed 64-bit number, which wraps: only differences matter.
func number(t *testing.T, s string) int64 {
	t.Helper()
	if n, err := strconv.ParseInt(s, 0, 64); err == nil {
		return n
	}
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(n)
}
