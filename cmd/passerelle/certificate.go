package main

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"

	"passerelle/config"
)

// certificateTime is how often the files of a certificate are looked at.
const certificateTime = 10 * time.Second

// proof is our side of TLS, of the page and of the telephones: a certificate that is read now, and again when it changes.
func proof(c config.TLS, log *slog.Logger) (*tls.Config, error) {
	pair := &keyPair{cert: c.Cert, key: c.Key, log: log}
	if err := pair.load(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}, nil
}

// keyPair is a certificate that is read again when its files change, so that a renewal needs no restart.
type keyPair struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	seen    time.Time // when the files were last looked at
	changed [2]int64  // when the files that have been read were changed, in ns
}

// load reads the files now.
func (k *keyPair) load() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.read(time.Now())
}

func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); now.Sub(k.seen) > certificateTime {
		if err := k.read(now); err != nil {
			k.log.Error("the new certificate cannot be used, the old one stays", "error", err)
		}
	}
	return k.pair, nil
}

// read reads the files if they have changed. The lock is held.
func (k *keyPair) read(now time.Time) error {
	k.seen = now
	var changed [2]int64
	for i, file := range []string{k.cert, k.key} {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		changed[i] = info.ModTime().UnixNano()
	}
	if k.pair != nil && changed == k.changed { // older counts too: a backup may have been put back
		return nil
	}
	pair, err := tls.LoadX509KeyPair(k.cert, k.key)
	if err != nil {
		return err
	}
	if k.pair != nil {
		k.log.Info("new certificate", "file", k.cert)
	}
	k.pair, k.changed = &pair, changed
	return nil
}
