package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets this binary be sluice itself, in scripts and for kill -9.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sluice": main})
}

// TestScripts runs testdata/script: sluice as its users type it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			log, err := os.ReadFile("../../testdata/logs/access.log")
			if err != nil {
				return err
			}
			return os.WriteFile(env.WorkDir+"/access.log", log, 0o600)
		},
	})
}
