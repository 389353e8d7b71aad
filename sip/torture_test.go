package sip

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// tortureFiles returns the messages of RFC 4475, which are not part of the project.
func tortureFiles(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("PASSERELLE_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "torture", "rfc4475", "*.dat"))
	if len(files) == 0 {
		t.Skip("the torture messages of RFC 4475 are not here; PASSERELLE_SHARED names the folder that has them")
	}
	return files
}

// TestTorture sends each of them while a call is up. Whatever the answer: the server lives, and so does the call.
func TestTorture(t *testing.T) {
	files := tortureFiles(t)
	networks(t, func(t *testing.T, network string) {
		ends := make(chan error, 1)
		s := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
			if len(d.Invite().Header("X-Stay")) == 0 {
				d.Reject(ctx, Refusal{Code: 404})
				return
			}
			d.Answer(ctx, []byte(testSDP))
			<-ctx.Done()
			ends <- context.Cause(ctx)
		})
		p := s.peer(network, "")
		p.send(p.request("INVITE", "est", 1, "", testSDP, "X-Stay: yes"))
		tag := p.expect(200).toTag()
		p.send(p.request("ACK", "estack", 1, tag, ""))
		seq := 1
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(filepath.Base(file), func(t *testing.T) {
				torturer := s.peer(network, "")
				torturer.conn.Write(data)
				if m, err := torturer.read(testT1); err == nil {
					t.Logf("answered %q", m.start)
				} else if errors.Is(err, io.EOF) {
					t.Log("connection closed")
				}
				seq++
				p.t = t
				p.send(p.request("OPTIONS", newTag(), seq, tag, ""))
				p.expect(200)
			})
		}
		p.t = t
		p.send(p.request("BYE", "bye", seq+1, tag, ""))
		p.expect(200)
		if err := wait(t, ends); !errors.Is(err, ErrBye) {
			t.Errorf("the call ended with %v, want %v", err, ErrBye)
		}
	})
}
