package rules

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "draw docs/packages.svg anew")

// TestPictureOfPackagesIsTheTable: docs/packages.svg shows the table of imports.
func TestPictureOfPackagesIsTheTable(t *testing.T) {
	name := filepath.Join(root, "docs", "packages.svg")
	want := drawPackages(newPicture(productImports()))
	if *rewrite {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(name); err != nil {
		t.Fatal(err)
	} else if !bytes.Equal(got, want) {
		t.Error("docs/packages.svg differs from the table of imports: go test ./test/rules -run TestPicture -rewrite, and look at it")
	}
}

// productImports returns the table of imports without tests and measurements.
func productImports() map[string][]string {
	imports := map[string][]string{}
	for _, e := range edges {
		area, _, _ := strings.Cut(e.pkg, "/")
		if area != "test" && area != "bench" && e.pkg != "cmd/sluice-bench" && !slices.Contains(testOnly, e.pkg) {
			imports[e.pkg] = strings.Fields(e.imports)
		}
	}
	for pkg, imported := range imports {
		if slices.Equal(imported, []string{"*"}) {
			imported = slices.Sorted(maps.Keys(imports))
			imports[pkg] = slices.DeleteFunc(imported, func(other string) bool { return other == pkg })
		}
	}
	return imports
}

// reduced removes the imports of which a path of other imports exists.
func reduced(imports map[string][]string) map[string][]string {
	var reaches func(from, to string) bool
	reaches = func(from, to string) bool {
		return from == to || slices.ContainsFunc(imports[from], func(next string) bool { return reaches(next, to) })
	}
	short := map[string][]string{}
	for pkg, imported := range imports {
		for _, to := range imported {
			if !slices.ContainsFunc(imported, func(other string) bool { return other != to && reaches(other, to) }) {
				short[pkg] = append(short[pkg], to)
			}
		}
	}
	return short
}

// box is a package in the picture, or, without a name, the point at which an arrow crosses
// a layer.
type box struct {
	name     string
	area     string  // the first part of the name; of an arrow, that of the importer
	x, width float64 // x is the middle
	below    []*box
	above    []*box
}

// picture has the boxes of each layer from left to right, importers above what they import.
type picture [][]*box

const (
	boxHeight   = 24.0
	layerHeight = 80.0
	gap         = 14.0
)

func newPicture(imports map[string][]string) picture {
	imports = reduced(imports)
	depth := depths(imports)
	p := make(picture, slices.Max(slices.Collect(maps.Values(depth)))+1)
	boxes := map[string]*box{}
	for _, name := range slices.Sorted(maps.Keys(depth)) {
		area, _, _ := strings.Cut(name, "/")
		b := &box{name: name, area: area, width: 14 + 6.7*float64(len(name))}
		boxes[name] = b
		p[depth[name]] = append(p[depth[name]], b)
	}
	for _, name := range slices.Sorted(maps.Keys(imports)) {
		for _, imported := range imports[name] {
			from := boxes[name]
			for layer := depth[name] + 1; layer < depth[imported]; layer++ {
				crossing := &box{area: from.area, width: 4}
				p[layer] = append(p[layer], crossing)
				connect(from, crossing)
				from = crossing
			}
			connect(from, boxes[imported])
		}
	}
	p.order()
	p.place()
	return p
}

func connect(from, to *box) {
	from.below = append(from.below, to)
	to.above = append(to.above, from)
}

// depths returns the layer of each package: one below its lowest importer, so that arrows
// are short.
func depths(imports map[string][]string) map[string]int {
	depth := map[string]int{}
	var sink func(pkg string, to int)
	sink = func(pkg string, to int) {
		if old, ok := depth[pkg]; ok && old >= to {
			return
		}
		depth[pkg] = to
		for _, imported := range imports[pkg] {
			sink(imported, to+1)
		}
	}
	sink("cmd/sluice", 0)
	return depth
}

// order sorts each layer by the mean place of the neighbours, up and down in turn, and keeps
// the order in which the fewest arrows cross.
func (p picture) order() {
	best, crossings := p.copied(), p.crossings()
	for round := range 60 {
		for i := range p {
			layer, neighbours := i, func(b *box) []*box { return b.above }
			if round%2 == 1 {
				layer, neighbours = len(p)-1-i, func(b *box) []*box { return b.below }
			}
			p.index()
			slices.SortStableFunc(p[layer], func(a, b *box) int {
				return int(math.Copysign(1, middle(a, neighbours)-middle(b, neighbours)))
			})
		}
		if n := p.crossings(); n < crossings {
			best, crossings = p.copied(), n
		}
	}
	copy(p, best)
}

func (p picture) copied() picture {
	c := make(picture, len(p))
	for i := range p {
		c[i] = slices.Clone(p[i])
	}
	return c
}

// index sets x to the place of each box in its layer, scaled to 0 to 1.
func (p picture) index() {
	for _, layer := range p {
		for i, b := range layer {
			b.x = (float64(i) + 0.5) / float64(len(layer))
		}
	}
}

// middle is the mean x of a box's neighbours, or its own x if it has none.
func middle(b *box, neighbours func(*box) []*box) float64 {
	all := neighbours(b)
	if len(all) == 0 {
		return b.x
	}
	sum := 0.0
	for _, n := range all {
		sum += n.x
	}
	return sum / float64(len(all))
}

func (p picture) crossings() int {
	p.index()
	n := 0
	for _, layer := range p {
		for i, a := range layer {
			for _, b := range layer[i+1:] {
				for _, to := range a.below {
					for _, other := range b.below {
						if to.x > other.x {
							n++
						}
					}
				}
			}
		}
	}
	return n
}

// place sets the x of each box near its neighbours, in the order of its layer.
func (p picture) place() {
	for _, layer := range p {
		x := 0.0
		for _, b := range layer {
			b.x = x + b.width/2
			x += b.width + gap
		}
	}
	for range 200 {
		for _, layer := range p {
			for _, b := range layer {
				b.x = middle(b, func(b *box) []*box { return append(slices.Clone(b.above), b.below...) })
			}
			separate(layer)
		}
	}
	left := math.Inf(1)
	for _, layer := range p {
		left = min(left, layer[0].x-layer[0].width/2)
	}
	for _, layer := range p {
		for _, b := range layer {
			b.x += gap - left
		}
	}
}

// separate moves overlapping boxes of a layer apart, by the mean of the least moves to the
// right and to the left.
func separate(layer []*box) {
	right, left := make([]float64, len(layer)), make([]float64, len(layer))
	for i, b := range layer {
		right[i] = b.x
		if i > 0 {
			right[i] = max(b.x, right[i-1]+(layer[i-1].width+b.width)/2+gap)
		}
	}
	for i := len(layer) - 1; i >= 0; i-- {
		left[i] = layer[i].x
		if i < len(layer)-1 {
			left[i] = min(layer[i].x, left[i+1]-(layer[i+1].width+layer[i].width)/2-gap)
		}
	}
	for i, b := range layer {
		b.x = (right[i] + left[i]) / 2
	}
}

// colours are those of the areas of the tree: of boxes, and of the arrows from them.
var colours = map[string]struct{ fill, line string }{
	"cmd":    {"#d8d8d8", "#777777"},
	"ingest": {"#cfe3f7", "#2f75b5"},
	"table":  {"#d9efd2", "#4c9a35"}, "query": {"#d9efd2", "#4c9a35"}, "print": {"#d9efd2", "#4c9a35"},
	"monitor": {"#fbe3c4", "#c27a16"}, "doctor": {"#fbe3c4", "#c27a16"},
	"hbase": {"#f3d3dc", "#b23a5e"}, "hdfs": {"#f3d3dc", "#b23a5e"}, "hadoop": {"#f3d3dc", "#b23a5e"},
	"archive": {"#e4d8f3", "#7a4fb0"}, "audit": {"#e4d8f3", "#7a4fb0"},
	"schema": {"#f5f0b8", "#8f8713"}, "parse": {"#f5f0b8", "#8f8713"},
	"retry": {"#eeeeee", "#777777"},
}

func drawPackages(p picture) []byte {
	width := 0.0
	for _, layer := range p {
		last := layer[len(layer)-1]
		width = max(width, last.x+last.width/2+gap)
	}
	var arrows, boxes strings.Builder
	for i, layer := range p {
		top := gap + float64(i)*layerHeight
		for _, b := range layer {
			for _, to := range b.below {
				drawArrow(&arrows, b, to, top)
			}
			if b.name == "" {
				fmt.Fprintf(&arrows, "<path stroke=\"%s\" d=\"M%.0f %.0fv%.0f\"/>\n", colours[b.area].line, b.x, top, boxHeight)
				continue
			}
			fmt.Fprintf(&boxes, "<rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" rx=\"4\" fill=\"%s\" stroke=\"#666\"/>\n",
				b.x-b.width/2, top, b.width, boxHeight, colours[b.area].fill)
			fmt.Fprintf(&boxes, "<text x=\"%.0f\" y=\"%.0f\">%s</text>\n", b.x, top+16, b.name)
		}
	}
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" font-family="sans-serif" font-size="12" text-anchor="middle">
<rect width="100%%" height="100%%" fill="#fff"/>
<g fill="none">
%s</g>
%s</svg>
`, width, gap*2+float64(len(p)-1)*layerHeight+boxHeight, arrows.String(), boxes.String())
}

// drawArrow draws the import of to, a layer below, by from. It has a head if it ends there.
func drawArrow(w *strings.Builder, from, to *box, top float64) {
	y, end, line := top+boxHeight, top+layerHeight, colours[from.area].line
	bend := (end - y) / 2
	fmt.Fprintf(w, "<path stroke=\"%s\" d=\"M%.0f %.0fC%.0f %.0f %.0f %.0f %.0f %.0f\"/>\n", line, from.x, y, from.x, y+bend, to.x, end-bend, to.x, end)
	if to.name != "" {
		fmt.Fprintf(w, "<path fill=\"%s\" d=\"M%.0f %.0fl-3 -7h6z\"/>\n", line, to.x, end)
	}
}
