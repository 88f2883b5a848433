package bench

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/bench/measure"
)

// Query is the cost of queries on a columnar table, by sluice scan and by other programs on the
// same files, as whole processes.
type Query struct {
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"table_bytes"`
	// Start is the cost of sluice version: a process without a query.
	Start   measure.Cost `json:"start_milliseconds"`
	Missing []string     `json:"missing,omitempty"` // programs that are not installed, with the reason
	Asked   []Answers    `json:"questions"`
}

// Answers are the costs of one query.
type Answers struct {
	Question string       `json:"question"`
	Rows     int          `json:"rows"` // of the result
	By       []AnswerCost `json:"by"`
}

// AnswerCost is the cost of one query by one program.
type AnswerCost struct {
	Program string       `json:"program"`
	Wall    measure.Cost `json:"milliseconds"`
	CPU     measure.Cost `json:"cpu_milliseconds"`
	Peak    measure.Cost `json:"peak_bytes"`
}

// QueryConfig are the parameters of MeasureQuery.
type QueryConfig struct {
	Sluice Runner
	// Log is stored below Dir first; Lines is its number of lines.
	Log, Format, Dir string
	Lines            int64
	Rounds           int
	// DuckDB is the path of its command line program, Python that of an interpreter with chdb. A
	// program that is not installed is omitted.
	DuckDB, Python string
	Say            func(what string)
}

// MeasureQuery stores the log, and runs each query with each program in turn.
func MeasureQuery(ctx context.Context, cfg QueryConfig) (*Query, error) {
	data := filepath.Join(cfg.Dir, "query")
	cfg.Say("storing the log")
	if _, _, err := cfg.Sluice(ctx, []string{"--quiet", "--data", data, "run", "--once", "--host", "bench", "--format", cfg.Format, cfg.Log}); err != nil {
		return nil, err
	}
	q := &Query{Rows: cfg.Lines}
	table := filepath.Join(data, "table")
	var err error
	if q.Bytes, err = measure.DirBytes(table); err != nil {
		return nil, err
	}
	programs := []program{&sluiceProgram{cfg.Sluice, data}}
	for _, p := range []program{&sqlProgram{"duckdb", []string{cfg.DuckDB, "-csv", "-c"}, "", duckDBDialect(table)},
		&sqlProgram{"chdb", []string{cfg.Python, "-m", "chdb"}, "CSVWithNames", chdbDialect(table)}} {
		if err := p.(*sqlProgram).try(ctx); err != nil {
			q.Missing = append(q.Missing, fmt.Sprintf("%s: %v", p.name(), err))
			continue
		}
		programs = append(programs, p)
	}
	if q.Start, err = cfg.start(ctx); err != nil {
		return nil, err
	}
	questions, err := cfg.questions(ctx, data)
	if err != nil {
		return nil, err
	}
	for _, question := range questions {
		cfg.Say(question.name)
		a, err := cfg.ask(ctx, question, programs)
		if err != nil {
			return nil, err
		}
		q.Asked = append(q.Asked, a)
	}
	return q, nil
}

func (cfg *QueryConfig) start(ctx context.Context) (measure.Cost, error) {
	var used []measure.Usage
	for range cfg.Rounds {
		_, u, err := cfg.Sluice(ctx, []string{"version"})
		if err != nil {
			return measure.Cost{}, err
		}
		used = append(used, u)
	}
	return measure.CostOf(used, wallMillis), nil
}

func wallMillis(u measure.Usage) float64 { return u.Wall.Seconds() * 1e3 }

// ask runs a query with all programs in turn. Different results are an error.
func (cfg *QueryConfig) ask(ctx context.Context, question question, programs []program) (Answers, error) {
	used := make([][]measure.Usage, len(programs))
	var want []string
	for round := range cfg.Rounds + 1 { // the first fills caches
		for i, p := range programs {
			out, u, err := p.answer(ctx, question)
			if err != nil {
				return Answers{}, fmt.Errorf("%s: %s: %w", p.name(), question.name, err)
			}
			if round > 0 {
				used[i] = append(used[i], u)
				continue
			}
			got, err := numbersOf(out, question.rowsOnly)
			if err != nil {
				return Answers{}, fmt.Errorf("%s: %s: %w", p.name(), question.name, err)
			}
			if i == 0 {
				want = got
			} else if !slices.Equal(got, want) {
				return Answers{}, fmt.Errorf("%s: %s answers %v, and sluice %v: what was measured is not what was meant", question.name, p.name(), got, want)
			}
		}
	}
	a := Answers{Question: question.name, Rows: len(want)}
	for i, p := range programs {
		a.By = append(a.By, AnswerCost{p.name(), measure.CostOf(used[i], wallMillis),
			measure.CostOf(used[i], func(u measure.Usage) float64 { return u.CPU.Seconds() * 1e3 }), measure.CostOf(used[i], func(u measure.Usage) float64 { return float64(u.PeakBytes) })})
	}
	return a, nil
}

// numbersOf returns the sorted last column of a result in CSV or, if rowsOnly, only the number of
// rows.
func numbersOf(out []byte, rowsOnly bool) ([]string, error) {
	r := csv.NewReader(bytes.NewReader(out))
	r.LazyQuotes = true
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("no answer")
	}
	numbers := []string{}
	for _, row := range rows[1:] { // without the header
		n := strings.TrimSuffix(row[len(row)-1], ".0")
		if n == "NULL" || n == `\N` {
			n = ""
		}
		numbers = append(numbers, n)
	}
	if rowsOnly {
		return []string{strconv.Itoa(len(numbers))}, nil
	}
	slices.Sort(numbers)
	return numbers, nil
}

// program runs queries.
type program interface {
	name() string
	answer(ctx context.Context, q question) ([]byte, measure.Usage, error)
}

type sluiceProgram struct {
	run  Runner
	data string
}

func (s *sluiceProgram) name() string { return "sluice" }

func (s *sluiceProgram) answer(ctx context.Context, q question) ([]byte, measure.Usage, error) {
	return s.run(ctx, append([]string{"--quiet", "--data", s.data, "scan", "--output", "csv"}, q.flags...))
}

// sqlProgram is a program with SQL as an argument.
type sqlProgram struct {
	program string
	command []string
	last    string // argument after the SQL
	dialect dialect
}

func (s *sqlProgram) name() string { return s.program }

func (s *sqlProgram) try(ctx context.Context) error {
	if s.command[0] == "" {
		return errors.New("not looked for")
	}
	_, _, err := s.sql(ctx, "SELECT 1 AS one")
	return err
}

func (s *sqlProgram) answer(ctx context.Context, q question) ([]byte, measure.Usage, error) {
	return s.sql(ctx, s.dialect.replace(q.sql))
}

func (s *sqlProgram) sql(ctx context.Context, text string) ([]byte, measure.Usage, error) {
	args := append(slices.Clone(s.command[1:]), text)
	if s.last != "" {
		args = append(args, s.last)
	}
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(ctx, s.command[0], args...)
	c.Env = append(os.Environ(), "TZ=UTC")
	c.Stdout, c.Stderr = &stdout, &stderr
	began := time.Now()
	if err := c.Run(); err != nil {
		return nil, measure.Usage{}, fmt.Errorf("%s: %w: %s", s.command[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	wall := time.Since(began)
	u, ok := measure.UsageOf(c.ProcessState)
	if !ok {
		return nil, measure.Usage{}, errors.New("this system does not say what a process used")
	}
	u.Wall = wall
	return stdout.Bytes(), u, nil
}
