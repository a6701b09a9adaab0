// The application of the exercise on Go's net/http, by the standard library alone: a goroutine for each connection, run by as many
// threads as there are CPUs, which wait for sockets in the runtime's netpoller. Operations run on the connection's goroutine.
//
// Written for Go 1.19: patterns of ServeMux name no methods.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	origin = "go-net-http"
	// Who computes: goroutines move between the threads of the one process.
	worker  = "p0"
	version = "1.0.0"

	maxIterations = 5_000_000_000
	maxCount      = 100_000_000
	maxSeed       = 1<<32 - 1
	maxBodyBytes  = 1 << 20

	// As long as this project's servers wait for a head, and keep a connection without a request; Go alone would wait for ever.
	headerTimeout = 10 * time.Second
	idleTimeout   = 75 * time.Second
	// How long answers under way may take after a stop signal, as in this project's servers.
	drainTimeout = 10 * time.Second
)

var started = time.Now()

// badParameter is a query that cannot be meant.
type badParameter struct{ name, reason string }

func (bad badParameter) Error() string { return bad.reason }

// number is a whole number from the query, or the preset where it is absent.
func number(query url.Values, name string, maximum, preset uint64) (uint64, error) {
	given := query[name]
	if len(given) == 0 {
		return preset, nil
	}
	// ParseUint takes neither signs nor blanks, and underscores only in base 0.
	value, err := strconv.ParseUint(given[0], 10, 64)
	if len(given) > 1 || err != nil || value > maximum {
		return 0, badParameter{name, fmt.Sprintf("bad parameter %s: expected an integer from 0 to %d, given once", name, maximum)}
	}
	return value, nil
}

// sum is 0 + 1 + ... + (iterations - 1), one by one.
func sum(iterations uint64) uint64 {
	var total uint64
	for next := uint64(0); next < iterations; next++ {
		total += next
	}
	return total
}

// mulberry32 has 32 bits of state and 32-bit arithmetic only.
type mulberry32 uint32

func (state *mulberry32) next() uint32 {
	*state += 0x6d2b79f5
	t := uint32(*state)
	t = (t ^ t>>15) * (t | 1)
	t ^= t + (t^t>>7)*(t|61)
	return t ^ t>>14
}

// frequencies says how often each number from 1 to 1000 came, without those that never came, as JSON with ascending keys.
func frequencies(count, seed uint64) []byte {
	var counts [1001]uint32
	draw := mulberry32(seed)
	for drawn := uint64(0); drawn < count; drawn++ {
		counts[1+draw.next()%1000]++
	}
	found := []byte{'{'}
	for value, times := range counts {
		if times == 0 {
			continue
		}
		if len(found) > 1 {
			found = append(found, ',')
		}
		found = append(found, '"')
		found = strconv.AppendInt(found, int64(value), 10)
		found = append(found, '"', ':')
		found = strconv.AppendUint(found, uint64(times), 10)
	}
	return append(found, '}')
}

func answerJSON(response http.ResponseWriter, status int, body []byte) {
	response.Header().Set("Content-Type", "application/json")
	response.Header().Set("Content-Length", strconv.Itoa(len(body)))
	response.WriteHeader(status)
	response.Write(body)
}

func refuse(response http.ResponseWriter, status int, reason, parameter string) {
	body, _ := json.Marshal(struct {
		Error     string `json:"error"`
		Parameter string `json:"parameter,omitempty"`
	}{reason, parameter})
	answerJSON(response, status, body)
}

// answered is what is computed from a query, written behind origin and worker.
type answered func(query url.Values) (string, error)

// get serves an operation to GET and HEAD.
func get(operation answered) http.HandlerFunc {
	return only("GET, HEAD, OPTIONS", func(response http.ResponseWriter, request *http.Request) {
		query, err := url.ParseQuery(request.URL.RawQuery)
		if err != nil {
			refuse(response, http.StatusBadRequest, "the query cannot be read", "")
			return
		}
		rest, err := operation(query)
		var bad badParameter
		if errors.As(err, &bad) {
			refuse(response, http.StatusBadRequest, bad.reason, bad.name)
			return
		}
		answerJSON(response, http.StatusOK, []byte(`{"origin":"`+origin+`","worker":"`+worker+`",`+rest+`}`))
	})
}

// only lets the methods through that are allowed, and answers all others.
func only(allowed string, handler http.HandlerFunc) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		switch {
		case request.Method == http.MethodOptions:
			response.Header().Set("Allow", allowed)
			response.WriteHeader(http.StatusNoContent)
		case !contains(strings.Split(allowed, ", "), request.Method):
			response.Header().Set("Allow", allowed)
			refuse(response, http.StatusMethodNotAllowed, "method not allowed here, use one of "+allowed, "")
		default:
			handler(response, request)
		}
	}
}

func contains(words []string, wanted string) bool {
	for _, word := range words {
		if word == wanted {
			return true
		}
	}
	return false
}

func simple(url.Values) (string, error) {
	return fmt.Sprintf(`"payload":%d`, sum(1000)), nil
}

func complexSum(query url.Values) (string, error) {
	iterations, err := number(query, "iterations", maxIterations, 5_000_000)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`"payload":%d`, sum(iterations)), nil
}

func randoms(query url.Values) (string, error) {
	count, err := number(query, "count", maxCount, 100_000)
	if err != nil {
		return "", err
	}
	seed, err := number(query, "seed", maxSeed, 0)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`"count":%d,"seed":%d,"frequencies":%s`, count, seed, frequencies(count, seed)), nil
}

func echo(response http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, maxBodyBytes))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		refuse(response, http.StatusRequestEntityTooLarge, "the body is too long", "")
	case err != nil:
		// What follows is no request.
		response.Header().Set("Connection", "close")
		refuse(response, http.StatusBadRequest, "the body cannot be read", "")
	default:
		kind := request.Header.Get("Content-Type")
		if kind == "" {
			kind = "application/octet-stream"
		}
		response.Header().Set("Content-Type", kind)
		response.Header().Set("Content-Length", strconv.Itoa(len(body)))
		response.Write(body)
	}
}

func info(response http.ResponseWriter, _ *http.Request) {
	body, _ := json.Marshal(map[string]any{
		"origin":         origin,
		"version":        version,
		"pid":            os.Getpid(),
		"worker":         worker,
		"workers":        runtime.GOMAXPROCS(0),
		"processors":     map[string]int{"present": countOf(fileLine("/sys/devices/system/cpu/present", "")), "allowed": runtime.NumCPU()},
		"rss_bytes":      residentBytes(),
		"uptime_seconds": int(time.Since(started).Seconds()),
		"arguments":      os.Args[1:],
	})
	answerJSON(response, http.StatusOK, body)
}

func residentBytes() int {
	fields := strings.Fields(fileLine("/proc/self/statm", ""))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize()
}

// fileLine is what follows prefix on the line of a file that begins with it; nothing where there is none.
func fileLine(path, prefix string) string {
	text, _ := os.ReadFile(path)
	for _, line := range strings.Split(string(text), "\n") {
		if rest, found := cut(line, prefix); found {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func cut(line, prefix string) (string, bool) {
	return strings.TrimPrefix(line, prefix), strings.HasPrefix(line, prefix)
}

var cpuList = regexp.MustCompile(`^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$`)

// countOf is how many CPUs a list such as 0-3,6 names; 0 where it is none.
func countOf(list string) int {
	if !cpuList.MatchString(list) {
		return 0
	}
	count := 0
	for _, part := range strings.Split(list, ",") {
		ends := strings.Split(part, "-")
		first, _ := strconv.Atoi(ends[0])
		last, _ := strconv.Atoi(ends[len(ends)-1])
		if last < first {
			return 0
		}
		count += last - first + 1
	}
	return count
}

func fail(code int, format string, values ...any) {
	fmt.Fprintf(os.Stderr, "error: "+format+"\n", values...)
	os.Exit(code)
}

// arguments are --listen ADDRESS:PORT and --cpus LIST. The list is only said again: the mask is inherited from whoever starts this, and
// Go has as many threads that run goroutines as the mask has CPUs.
func arguments() (listen, cpus string) {
	flags := flag.NewFlagSet(origin, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&listen, "listen", "127.0.0.1:8080", "address and port")
	flags.StringVar(&cpus, "cpus", fileLine("/proc/self/status", "Cpus_allowed_list:"), "CPUs, such as 0-3,6")
	if err := flags.Parse(os.Args[1:]); err != nil {
		fail(2, "%v: give --listen ADDRESS:PORT and --cpus LIST", err)
	}
	if flags.NArg() > 0 {
		fail(2, "%s is no argument: give --listen ADDRESS:PORT and --cpus LIST", flags.Arg(0))
	}
	if _, port, err := net.SplitHostPort(listen); err != nil || !isPort(port) {
		fail(2, "--listen %s: give ADDRESS:PORT, such as 127.0.0.1:8080", listen)
	}
	if countOf(cpus) == 0 {
		fail(2, "--cpus %s: give numbers and ranges such as 0-3,6", cpus)
	}
	return listen, cpus
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

func routes() http.Handler {
	mux := http.NewServeMux()
	for path, operation := range map[string]answered{
		"/simple":             simple,
		"/operacion-simple":   simple,
		"/complex":            complexSum,
		"/operacion-compleja": complexSum,
		"/api/randoms":        randoms,
	} {
		mux.HandleFunc(path, get(operation))
	}
	mux.HandleFunc("/echo", only("POST, OPTIONS", echo))
	mux.HandleFunc("/info", only("GET, HEAD, OPTIONS", info))
	mux.HandleFunc("/", func(response http.ResponseWriter, _ *http.Request) {
		refuse(response, http.StatusNotFound, "no such path", "")
	})
	return mux
}

func main() {
	listen, cpus := arguments()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		fail(1, "cannot listen on %s: %v", listen, err)
	}
	server := &http.Server{Handler: strict(routes()), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	ready, _ := json.Marshal(struct {
		Server  string `json:"server"`
		Address string `json:"address"`
		PID     int    `json:"pid"`
		Workers int    `json:"workers"`
		CPUs    string `json:"cpus"`
		Profile string `json:"profile"`
	}{origin, listener.Addr().String(), os.Getpid(), runtime.GOMAXPROCS(0), cpus, "release"})
	fmt.Println(string(ready))

	served := make(chan error, 1)
	go func() { served <- server.Serve(strictListener{listener}) }()
	select {
	case err := <-served:
		fail(1, "cannot serve: %v", err)
	case <-signals:
	}
	// A second one ends at once.
	go func() {
		again := <-signals
		os.Exit(128 + int(again.(syscall.Signal)))
	}()
	draining, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		fmt.Fprintln(os.Stderr, "still answering after the time to drain: what is not done is cut")
	}
}
