package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// PhoneConfig says what kind of baresip to start.
type PhoneConfig struct {
	Name       string
	Microphone string // a WAV file, mono; played once from the moment the call is up, then silence
	Codec      string // "PCMU", "PCMA", "G722/16000/1" or "opus/48000/1"; both of the first, PCMU first, where it is empty
	Transport  string // "udp" (default), "tcp" or "tls"
	SRTP       bool   // encrypts with keys in the SDP, or does not talk
	DTLS       bool   // likewise, with keys of a handshake; on one port with Mux
	Authority  string // the file of who vouches for its peers, with TLS
	Mux        bool   // offers rtcp-mux
	AutoAnswer bool
	INFO       bool   // keys are sent in INFO, not in RTP
	Registers  string // where it registers, with Password: "2001@127.0.0.1:5060"; nowhere where it is empty
	Shows      string // the user part of its address, such as a number; its name, also shown, where it is empty
}

// Phone is one baresip: a phone that people use, with a file for a microphone, and recordings of what it
// sent and heard.
type Phone struct {
	PhoneConfig
	SIP     uint16 // its port on the loopback address
	dir     string
	process *Process
	control *control
	dialled int // events before the last Dial
}

// StartPhone starts a baresip and waits until it can be used. Its folder is dir/NAME.
func StartPhone(t testing.TB, dir string, config PhoneConfig) *Phone {
	t.Helper()
	first := Ports(t, blockSize)
	p := &Phone{PhoneConfig: config, SIP: first, dir: Sub(t, dir, config.Name)}
	control := first + 2
	microphone := filepath.Join(p.dir, "microphone.wav")
	rate := p.rate()
	Sox(t, "-D", config.Microphone, "-r", rate, microphone, "pad", "0", "180") // a phone hangs up at its file's end
	p.write(t, map[string]any{
		"Address": Loopback(), "SIP": first, "Control": control, "RTP": first + 4, "LastRTP": first + blockSize - 1,
		"Microphone": microphone, "Modules": baresipModules(t), "Mux": config.Mux,
		"Recordings": Sub(t, p.dir, "rec"), "Rate": rate,
		"TLS": config.Transport == "tls", "Authority": config.Authority, "SRTP": config.SRTP, "DTLS": config.DTLS,
	})
	p.process = Start(t, Command{Name: config.Name, Path: "baresip", Args: []string{"-f", p.dir, "-s"}, Dir: p.dir})
	p.process.Await(t, `baresip is ready`, 10*time.Second)
	var err error
	if p.control, err = dialControl(fmt.Sprintf("127.0.0.1:%d", control)); err != nil {
		t.Fatalf("%s: %v", p.Name, err)
	}
	t.Cleanup(p.control.close)
	return p
}

// rate returns the rate of the phone's sound, in Hz, as its codec's name has it.
func (p *Phone) rate() string {
	if _, rest, ok := strings.Cut(p.Codec, "/"); ok {
		rate, _, _ := strings.Cut(rest, "/")
		return rate
	}
	return "8000"
}

func (p *Phone) write(t testing.TB, values map[string]any) {
	t.Helper()
	writeTemplate(t, Data("baresip", "config.tmpl"), filepath.Join(p.dir, "config"), values)
	who := fmt.Sprintf("%q <sip:%s", p.Name, p.Name)
	if p.Shows != "" {
		who = "<sip:" + p.Shows
	}
	account, interval := fmt.Sprintf("%s@127.0.0.1:%d", who, p.SIP), 0
	if p.Registers != "" {
		account, interval = "<sip:"+p.Registers, 600
	}
	if p.Transport == "tcp" || p.Transport == "tls" {
		account += ";transport=" + p.Transport
	}
	account += fmt.Sprintf(">;regint=%d", interval)
	if p.Registers != "" {
		account += ";auth_pass=" + Password
	}
	if p.SRTP {
		account += ";mediaenc=srtp-mand"
	}
	if p.DTLS {
		account += ";mediaenc=dtls_srtp"
	}
	codecs := p.Codec
	if codecs == "" {
		codecs = "PCMU,PCMA"
	}
	account += ";audio_codecs=" + codecs
	if p.INFO {
		account += ";dtmfmode=info"
	}
	if p.AutoAnswer {
		account += ";answermode=auto"
	}
	for name, text := range map[string]string{"accounts": account + "\n", "contacts": ""} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
	}
}

// baresipModules returns where the distribution keeps them: /usr/lib/baresip/modules on Debian 12, below
// the machine's name on others.
func baresipModules(t testing.TB) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/baresip/modules/g711.so", "/usr/lib/*/baresip/modules/g711.so", "/usr/local/lib/baresip/modules/g711.so"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return filepath.Dir(found[0])
		}
	}
	t.Fatal("baresip's modules are not where Debian keeps them")
	return ""
}

// Dial calls and returns at once.
func (p *Phone) Dial(t testing.TB, uri string) {
	t.Helper()
	p.dialled = p.control.count()
	p.do(t, "dial", uri)
}

// AwaitTalking waits until the call of the last Dial is up.
func (p *Phone) AwaitTalking(t testing.TB, within time.Duration) {
	t.Helper()
	if _, err := p.control.await("CALL_ESTABLISHED", p.dialled, within); err != nil {
		t.Fatalf("%s: %v\n%s", p.Name, err, p.process.Tail(40))
	}
}

// AwaitKey waits until the gateway has dialled a key to the phone in its last call.
func (p *Phone) AwaitKey(t testing.TB, key string, within time.Duration) {
	t.Helper()
	e, err := p.control.await("CALL_DTMF_START", p.dialled, within)
	if err != nil {
		t.Fatalf("%s: %v\n%s", p.Name, err, p.process.Tail(40))
	}
	if e.Param != key {
		t.Errorf("%s was dialled %q, want %q", p.Name, e.Param, key)
	}
}

// AwaitClosed waits until the call of the last Dial has ended, and returns the reason that the phone
// shows: "404 Not Found", "Connection reset by peer" for a BYE.
func (p *Phone) AwaitClosed(t testing.TB, within time.Duration) string {
	t.Helper()
	e, err := p.control.await("CALL_CLOSED", p.dialled, within)
	if err != nil {
		t.Fatalf("%s: %v\n%s", p.Name, err, p.process.Tail(40))
	}
	return e.Param
}

// Closed says whether the call of the last Dial has ended.
func (p *Phone) Closed() bool {
	_, err := p.control.await("CALL_CLOSED", p.dialled, 0)
	return err == nil
}

// Hangup ends the call.
func (p *Phone) Hangup(t testing.TB) { t.Helper(); p.do(t, "hangup", "") }

// Hold puts the call on hold.
func (p *Phone) Hold(t testing.TB) { t.Helper(); p.do(t, "hold", "") }

// Resume takes the call back.
func (p *Phone) Resume(t testing.TB) { t.Helper(); p.do(t, "resume", "") }

// URI is what others call the phone by.
func (p *Phone) URI() string { return fmt.Sprintf("sip:%s@%s:%d", p.Name, Loopback(), p.SIP) }

// Transfer has whoever the phone talks to call somebody else.
func (p *Phone) Transfer(t testing.TB, to string) { t.Helper(); p.do(t, "transfer", to) }

// Press presses keys, one after the other.
func (p *Phone) Press(t testing.TB, keys string) {
	t.Helper()
	for _, key := range keys {
		p.do(t, "sndcode", string(key))
	}
}

func (p *Phone) do(t testing.TB, command, params string) {
	t.Helper()
	if said, err := p.control.do(command, params); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", p.Name, err, said, p.process.Tail(20))
	}
}

// Packets returns how many RTP packets the phone has sent and received in its last call, which is over.
func (p *Phone) Packets(t testing.TB) (sent, received int) {
	t.Helper()
	m := p.process.Await(t, `^packets: +(\d+) +(\d+)`, 2*time.Second)
	sent, _ = strconv.Atoi(m[1])
	received, _ = strconv.Atoi(m[2])
	return sent, received
}

// Quit ends the phone, so that its recordings are whole.
func (p *Phone) Quit(t testing.TB) {
	t.Helper()
	if status := p.process.Stop(syscall.SIGTERM, 5*time.Second); status != 0 {
		t.Logf("%s ended with status %d", p.Name, status)
	}
}

// Heard returns the recording of what came out of the phone's loudspeaker. Quit first.
func (p *Phone) Heard(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(p.dir, "rec", "dump-*-dec.wav"))
	if len(found) == 0 {
		t.Fatalf("%s recorded nothing\n%s", p.Name, p.process.Tail(40))
	}
	return found[len(found)-1]
}
