package parquet

// Page is a data page of a column: consecutive rows that can be decoded without the other pages.
type Page struct {
	FirstRow, Rows int
	Nulls          int64
	// Bounded reports that Min and Max are set: bounds of the numbers in the page.
	Bounded  bool
	Min, Max int64
}

// Pages reads the page index of a column: the rows of each page and, for a column of numbers, their
// bounds.
func (f *File) Pages(group, column int) ([]Page, error) {
	g := &f.groups[group]
	c := &g.Chunks[column]
	if c.indexBytes == 0 {
		return []Page{{Rows: int(g.Rows)}}, nil
	}
	locations, err := f.offsetIndex(g, c)
	if err != nil {
		return nil, err
	}
	pages := make([]Page, len(locations))
	for i, l := range locations {
		end := g.Rows
		if i+1 < len(locations) {
			end = locations[i+1].firstRow
		}
		pages[i] = Page{FirstRow: int(l.firstRow), Rows: int(end - l.firstRow)}
	}
	if c.boundBytes > 0 && f.columns[column].Type != ByteArray {
		err = f.readBounds(c, f.columns[column].Type, pages)
	}
	return pages, err
}

// readBounds reads a column index into pages.
func (f *File) readBounds(c *Chunk, t Type, pages []Page) error {
	var buf []byte
	b, err := f.bytes(c.boundsAt, int64(c.boundBytes), &buf)
	if err != nil {
		return err
	}
	r := &thriftReader{b: b}
	bound := func(kind byte, set func(p *Page, v int64)) {
		i := 0
		for kind := range r.list(kind) {
			if v := r.bytes(kind); i < len(pages) && len(v) == t.bytes() {
				set(&pages[i], Int(v))
			}
			i++
		}
		if i != len(pages) {
			r.fail("bounds of other pages")
		}
	}
	for id, kind := range r.fields(thriftStruct) {
		switch id {
		case 2:
			bound(kind, func(p *Page, v int64) { p.Min, p.Bounded = v, true })
		case 3:
			bound(kind, func(p *Page, v int64) { p.Max = v })
		case 5:
			i := 0
			for kind := range r.list(kind) {
				if n := r.int(kind); i < len(pages) {
					pages[i].Nulls = n
				}
				i++
			}
		default:
			r.skip(kind)
		}
	}
	return r.err
}
