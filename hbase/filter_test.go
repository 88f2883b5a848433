package hbase

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"testing"

	"sluice/schema"
)

// TestABlocksExpressionFindsEachOfItsAddresses in each notation. Go's regular expressions are used
// instead of Java's, which match these in the same way.
func TestABlocksExpressionFindsEachOfItsAddresses(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	found := 0
	for range 20_000 {
		b := make([]byte, []int{4, 16}[rnd.IntN(2)])
		for i := range b {
			if rnd.IntN(3) > 0 {
				b[i] = byte(rnd.IntN(256))
			}
		}
		a, _ := netip.AddrFromSlice(b)
		if a.Is4In6() {
			continue
		}
		p := netip.PrefixFrom(a, rnd.IntN(a.BitLen()+1)).Masked()
		expr, ok := blockExpr(p.String())
		if !ok {
			continue
		}
		re := regexp.MustCompile("(?is)" + expr)
		texts := []string{a.String(), a.StringExpanded(), netip.AddrFrom16(a.As16()).String()}
		if !a.Is4() {
			texts = append(texts, a.WithZone("eth0").String(), fmt.Sprintf("%X%s", b[0], a.String()[len(fmt.Sprintf("%x", b[0])):]))
		}
		for _, text := range texts {
			if read, ok := schema.ParseAddr([]byte(text)); !ok || !p.Contains(read.WithZone("")) {
				continue
			}
			found++
			if !re.MatchString(text) {
				t.Fatalf("seed %d: %s is in %s, and %s does not find it", seed, text, p, expr)
			}
		}
		if a.Is4() && p.Bits() >= 8 { // and excludes the others
			b[0] ^= 1
			other, _ := netip.AddrFromSlice(b)
			if re.MatchString(other.String()) {
				t.Fatalf("seed %d: %s is not in %s, and %s finds it", seed, other, p, expr)
			}
		}
	}
	if found < 10_000 {
		t.Errorf("seed %d: only %d addresses", seed, found)
	}
}
