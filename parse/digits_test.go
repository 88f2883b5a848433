package parse

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

// TestNumbersAreParsedAsByStrconv compares with strconv, for numbers of every length and with any byte after them.
func TestNumbersAreParsedAsByStrconv(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		var b [8]byte
		for i := range b {
			b[i] = byte(random.IntN(256))
		}
		want := ""
		for range random.IntN(9) {
			want += string(rune('0' + random.IntN(10)))
		}
		copy(b[:], want)
		for len(want) < 8 && b[len(want)]-'0' <= 9 {
			want += string(rune(b[len(want)]))
		}
		n, digits := numberIn(binary.LittleEndian.Uint64(b[:]))
		number, _ := strconv.ParseUint("0"+want, 10, 64)
		if n != number || digits != len(want) {
			t.Fatalf("%q: %d of %d digits, want %s", b, n, digits, want)
		}
	}
}

// TestAddressesAreParsedAsByNetip compares with net/netip, for addresses and for similar texts.
func TestAddressesAreParsedAsByNetip(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	check := func(text, behind string) {
		t.Helper()
		var b [windowBytes]byte
		copy(b[:], text+behind)
		address, length := quadAt(&b)
		want, err := netip.ParseAddr(text)
		if err != nil || !want.Is4() {
			if length == len(text) && length > 0 && !strings.HasPrefix(text, "0") && !strings.Contains(text, ".0") {
				t.Fatalf("%q was taken for an address of %d bytes", text, length)
			}
			return
		}
		four := want.As4()
		if length != len(text) || address != binary.BigEndian.Uint32(four[:]) {
			t.Fatalf("%q: %08x, %d bytes", text, address, length)
		}
	}
	for range 200_000 {
		n := func() int { return random.IntN([]int{10, 100, 256}[random.IntN(3)]) }
		text := fmt.Sprintf("%d.%d.%d.%d", n(), n(), n(), n())
		check(text, " - - [17/May")
		check(text, "")
		mutated := []byte(text)
		mutated[random.IntN(len(mutated))] = ". 0129a:\x00\xff"[random.IntN(10)]
		check(string(mutated), " - -")
	}
	for _, text := range []string{"", "1", "1.2.3", "256.1.1.1", "1.2.3.256", "1111.2.3.4", "1..2.3", ".1.2.3", "1.2.3.", "2001:db8::1", "a.b.c.d"} {
		check(text, " ")
	}
}
