package region

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// As long as one waits for a thing it is not said to work again, and when nobody does
// any more nothing is left of it.
func TestATroubleIsOverWhenNobodyWaits(t *testing.T) {
	var said bytes.Buffer
	troubles := &Troubles{Now: time.Now, Log: slog.New(slog.NewTextHandler(&said, nil))}
	one, other := new(int), new(int)
	troubles.Note("a scan", one, errors.New("moved"))
	troubles.Note("a scan", other, errors.New("away"))
	troubles.Note("a scan", one, errors.New("moved"))
	troubles.Over("a scan", one)
	troubles.Over("a scan", one)
	if list := troubles.List(); len(list) != 1 || list[0].Attempts != 3 || strings.Contains(said.String(), "recovered") {
		t.Errorf("while one waits: %+v; said %s", list, said.String())
	}
	troubles.Over("a scan", other)
	if list := troubles.List(); len(list) != 0 || strings.Count(said.String(), "recovered") != 1 {
		t.Errorf("when none waits: %+v; said %s", list, said.String())
	}
	troubles.Note("a scan", one, errors.New("moved"))
	troubles.GiveUp("a scan", one)
	if list := troubles.List(); len(list) != 0 || strings.Count(said.String(), "recovered") != 1 {
		t.Errorf("when it was given up: %+v; said %s", list, said.String())
	}
}
