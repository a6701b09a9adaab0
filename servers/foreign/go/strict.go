// What net/http reads otherwise than others do, so that bytes of one request are taken for another: refused here, and the connection
// closed. Nothing else of what it does is mended.

package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
)

// strictListener has its connections looked at while they are read.
type strictListener struct{ net.Listener }

func (listener strictListener) Accept() (net.Conn, error) {
	conn, err := listener.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &strictConn{Conn: conn}, nil
}

// strictConn reads along: heads line by line, and bodies by their length.
type strictConn struct {
	net.Conn
	// What of the line was read, up to what matters of it.
	line []byte
	// Of the head: that there was a line, and what it says.
	begun, isHead, isOld, hasHost, hasCoding bool
	// The length that the head announces, and how much of it is still to come.
	length, body uint64
	// Nothing more is looked at: the connection is about to close.
	done bool
}

const longestLine = 256

func (conn *strictConn) Read(buffer []byte) (int, error) {
	count, err := conn.Conn.Read(buffer)
	for at := 0; at < count && !conn.done; at++ {
		if conn.body > 0 {
			skipped := min(conn.body, uint64(count-at))
			conn.body -= skipped
			at += int(skipped) - 1
			continue
		}
		switch conn.take(buffer[at]) {
		case broken:
			conn.done = true
			if conn.isHead {
				// net/http would answer a HEAD with a body.
				return 0, io.EOF
			}
			// What stands in no field: net/http answers 400 and closes.
			buffer[at] = 0
		case silent:
			conn.done = true
			return 0, io.EOF
		}
	}
	return count, err
}

func min(one, other uint64) uint64 {
	if one < other {
		return one
	}
	return other
}

type verdict int

const (
	fine verdict = iota
	broken
	silent
)

// take looks at the next byte of a head.
func (conn *strictConn) take(next byte) verdict {
	if next != '\n' {
		if len(conn.line) == 0 && conn.begun && (next == ' ' || next == '\t') {
			// A folded line.
			return broken
		}
		if len(conn.line) < longestLine {
			conn.line = append(conn.line, next)
		}
		return fine
	}
	line := bytes.TrimSuffix(conn.line, []byte{'\r'})
	conn.line = conn.line[:0]
	if !conn.begun {
		conn.begun = true
		conn.isHead = bytes.HasPrefix(line, []byte("HEAD "))
		conn.isOld = bytes.HasSuffix(line, []byte(" HTTP/1.0"))
		return fine
	}
	if len(line) == 0 {
		if conn.isHead && !conn.hasHost && !conn.isOld {
			return silent
		}
		// Behind a coding the connection closes.
		conn.done = conn.hasCoding
		conn.body, conn.length = conn.length, 0
		conn.begun, conn.hasHost = false, false
		return fine
	}
	name, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.Trim(value, " \t")
	switch string(bytes.ToLower(name)) {
	case "host":
		conn.hasHost = true
	case "content-length":
		length, err := strconv.ParseUint(string(value), 10, 63)
		if err != nil {
			return broken
		}
		conn.length = length
	case "transfer-encoding":
		if conn.isOld || !bytes.EqualFold(value, []byte("chunked")) {
			return broken
		}
		conn.hasCoding = true
	}
	return fine
}

// strict refuses chunked bodies: of their lines net/http takes a line feed alone for the end, as nginx does.
func strict(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if len(request.TransferEncoding) > 0 {
			response.Header().Set("Connection", "close")
			refuse(response, http.StatusNotImplemented, "Transfer-Encoding is not taken here", "")
			return
		}
		handler.ServeHTTP(response, request)
	})
}
