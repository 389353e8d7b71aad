package main

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"
	rtdebug "runtime/debug"

	"passerelle/bridge"
	"passerelle/bridge/audio"
	"passerelle/sip/registrar"
	"passerelle/sip/trunk"
)

// counters is what GET /debug/vars on the --debug address tells.
type counters struct {
	Goroutines int                    `json:"goroutines"`
	Heap       uint64                 `json:"heap"` // bytes in use after the last collection
	Gateway    bridge.Stats           `json:"gateway"`
	Engine     audio.EngineStats      `json:"engine"`
	Phones     registrar.Stats        `json:"phones"`
	Trunks     map[string]trunk.Stats `json:"trunks"` // those that we reach out to, by name
	Rooms      map[string]any         `json:"rooms"`  // the statistics of its kind, by engine
}

// listenDebug takes the port for counters and profiles, for whoever measures. It is off unless asked for. An
// answer may take as long as a profile does.
func listenDebug(addr string, read func() counters, log *slog.Logger) (*web, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, taken("--debug", addr, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/vars", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("gc") { // for whoever compares memory
			rtdebug.FreeOSMemory() // and what the start needed is given back to the system
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(read()); err != nil {
			log.Debug("counters not sent", "error", err)
		}
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return &web{name: "the counters (--debug)", listener: listener, server: &http.Server{Handler: mux, ReadHeaderTimeout: headerTime}}, nil
}

// process reads what the Go runtime knows.
func process() (goroutines int, heap uint64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}
