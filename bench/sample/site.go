package sample

import (
	"fmt"
)

// site has what does not change between lines: pages, clients, referers and user agents, each with
// its frequency.
type site struct {
	pages    popular[page]
	clients  popular[client]
	referers popular[string]
	agents   popular[string]
	address  [len("255.255.255.255")]byte
}

// page is a resource of the site.
type page struct {
	request string // method and path
	query   string // before a value that differs in each request
	bytes   int
}

// client is a visitor; its user agent does not change.
type client struct {
	address []byte
	agent   string
}

const (
	pageCount   = 3000
	clientCount = 6000
)

func newSite(l *Log) *site {
	s := &site{referers: newPopular(referers(), 0), agents: newPopular(agents(), 20)}
	pages := make([]page, pageCount)
	for i := range pages {
		pages[i] = newPage(l, i)
	}
	s.pages = newPopular(pages, 4)
	clients := make([]client, clientCount)
	for i := range clients {
		clients[i] = client{l.appendIPv4(nil), s.agents.pick(l)}
	}
	s.clients = newPopular(clients, 200)
	return s
}

// popular is a random choice with the distribution of Zipf and Mandelbrot: item n has a weight
// proportional to 1/(n+flat). With a table of slots a choice needs one random number. The weights
// are integers, because floating-point rounding differs between processors.
type popular[T any] struct {
	items []T
	slots []uint16
}

const slotCount = 1 << 15

func newPopular[T any](items []T, flat int) popular[T] {
	weight := func(i int) uint64 { return 1 << 40 / uint64(i+1+flat) }
	total := uint64(0)
	for i := range items {
		total += weight(i)
	}
	p := popular[T]{items, make([]uint16, slotCount)}
	sum, slot := uint64(0), 0
	for i := range items {
		sum += weight(i)
		for ; slot < slotCount && uint64(slot)*total < sum*slotCount; slot++ {
			p.slots[slot] = uint16(i)
		}
	}
	return p
}

func (p *popular[T]) pick(l *Log) T { return p.items[p.slots[l.rng.Uint64()>>49]] }

func newPage(l *Log, i int) page {
	word := func() string { return words[l.below(len(words))] }
	bytes := 200 + l.below(1<<(8+l.below(10)))
	switch kind := i % 10; {
	case i == 0:
		return page{"GET /", "", 11173}
	case kind < 3:
		return page{fmt.Sprintf("GET /%s/%s-%s-%d/", word(), word(), word(), 2010+l.below(16)), "", bytes}
	case kind < 6:
		return page{fmt.Sprintf("GET /%s/%d/images/%s-%s-%x.%s", word(), 2010+l.below(16), word(), word(), i, suffixes[l.below(len(suffixes))]), "", bytes}
	case kind < 7:
		return page{fmt.Sprintf("GET /static/js/%s.%08x.js", word(), uint32(l.rng.Uint64())), "", bytes}
	case kind < 9:
		return page{fmt.Sprintf("GET /%s/%s", word(), word()), "?page=" + fmt.Sprint(l.below(30)) + "&id=", bytes}
	}
	return page{fmt.Sprintf("POST /api/v%d/%s/%s", 1+l.below(3), word(), word()), "?session=", bytes}
}
