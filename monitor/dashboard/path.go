package dashboard

import "strconv"

// path builds the data of an SVG path, which contains only numbers and letters. Coordinates are
// rounded to a tenth. Points are relative to the previous one, which is shorter.
type path struct {
	b    []byte
	x, y int // the current point, in tenths
	open bool
}

func tenths(v float64) int {
	if v < 0 {
		return int(v*10 - 0.5)
	}
	return int(v*10 + 0.5)
}

// to draws a line to a point, or begins a line there if none is open.
func (p *path) to(x, y float64) {
	tx, ty := tenths(x), tenths(y)
	if !p.open {
		p.b = append(p.b, 'M')
		p.number(tx, false)
		p.number(ty, true)
		p.b = append(p.b, 'l')
		p.open = true
	} else {
		p.number(tx-p.x, p.b[len(p.b)-1] != 'l')
		p.number(ty-p.y, true)
	}
	p.x, p.y = tx, ty
}

// gap ends the line; the next point begins another one.
func (p *path) gap() {
	if p.open && p.b[len(p.b)-1] == 'l' { // a single point would be invisible: draw a short line
		p.b = append(p.b, "1 0"...)
	}
	p.open = false
}

// close closes the current area.
func (p *path) close() {
	p.gap()
	p.b = append(p.b, 'z')
}

func (p *path) number(tenths int, apart bool) {
	switch {
	case tenths < 0:
		p.b = append(p.b, '-')
		tenths = -tenths
	case apart:
		p.b = append(p.b, ' ')
	}
	p.b = strconv.AppendInt(p.b, int64(tenths/10), 10)
	if tenths %= 10; tenths != 0 {
		p.b = append(p.b, '.', byte('0'+tenths))
	}
}

func (p *path) String() string {
	p.gap()
	return string(p.b)
}
