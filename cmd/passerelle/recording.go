package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"passerelle/codec/g711"
	"passerelle/codec/wav"
)

// recording is a WAV file that grows while a call is up. A call that is not answered leaves the file as it was.
type recording struct {
	file *os.File
	made bool        // there was no such file before
	wav  *wav.Writer // nil until the first sound
}

// record opens the file, so that one that cannot be written is known before the call is made.
func record(path string) (*recording, error) {
	const mode = 0o666
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	made := err == nil
	if errors.Is(err, fs.ErrExist) {
		file, err = os.OpenFile(path, os.O_WRONLY, mode)
	}
	if err != nil {
		return nil, fmt.Errorf("--record: %w", err)
	}
	return &recording{file: file, made: made}, nil
}

// begin empties the file and writes its head, once.
func (r *recording) begin() (err error) {
	if r.wav != nil {
		return nil
	}
	if err := r.file.Truncate(0); err != nil {
		return fmt.Errorf("--record: %w", err)
	}
	r.wav, err = wav.NewWriter(r.file, g711.Rate)
	return err
}

func (r *recording) write(pcm []int16) error {
	if err := r.begin(); err != nil {
		return err
	}
	return r.wav.Write(pcm)
}

// close ends the recording of a call that was answered, also of one in which nothing was heard.
func (r *recording) close(answered bool) error {
	if !answered {
		err := r.file.Close()
		if r.made {
			err = errors.Join(err, os.Remove(r.file.Name()))
		}
		return err
	}
	if err := r.begin(); err != nil {
		return errors.Join(err, r.file.Close())
	}
	return errors.Join(r.wav.Close(), r.file.Close())
}
