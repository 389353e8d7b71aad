// Joins a LiveKit room with livekit-client, as an application does, and tells the test what it sees:
// window.participant is driven and asked by expressions that the test evaluates in the page.
'use strict';

window.participant = (() => {
  const { Room, RoomEvent, Track, ExternalE2EEKeyProvider, ParticipantKind, DisconnectReason } = window.LivekitClient;
  const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const text = new TextDecoder();

  let room = null;
  const story = []; // what happened, in order: {at, what, who, ...}; at in milliseconds since the page began
  const peak = {}; // by identity: the highest audioLevel and whether isSpeaking was ever true

  const tell = (what, who, more = {}) => story.push({ at: Math.round(performance.now()), what, who: who?.identity ?? '', ...more });

  // describe is a line of the roster, with the names that livekit-client uses.
  const describe = (p) => ({
    identity: p.identity,
    name: p.name ?? '',
    kind: ParticipantKind[p.kind],
    attributes: { ...p.attributes },
    isMicrophoneEnabled: p.isMicrophoneEnabled,
    microphones: p.getTrackPublications().filter((t) => t.source === Track.Source.Microphone).length,
    tracks: p.getTrackPublications().length,
    isSpeaking: p.isSpeaking,
    audioLevel: p.audioLevel,
    spoke: peak[p.identity]?.spoke ?? false,
    loudest: peak[p.identity]?.level ?? 0,
  });

  function listen() {
    room
      .on(RoomEvent.ParticipantConnected, (p) => tell('joined', p))
      .on(RoomEvent.ParticipantDisconnected, (p) => tell('left', p))
      .on(RoomEvent.TrackMuted, (t, p) => tell('muted', p))
      .on(RoomEvent.TrackUnmuted, (t, p) => tell('unmuted', p))
      .on(RoomEvent.TrackSubscribed, (track, t, p) => {
        tell('subscribed', p);
        if (track.kind === Track.Kind.Audio) window.__recorder.also(p.identity, track.mediaStreamTrack);
      })
      .on(RoomEvent.TrackUnsubscribed, (track, t, p) => tell('unsubscribed', p))
      .on(RoomEvent.ParticipantAttributesChanged, (changed, p) => tell('attributes', p, { changed }))
      .on(RoomEvent.SipDTMFReceived, (dtmf, p) => tell('digit', p, { digit: dtmf.digit, code: dtmf.code }))
      .on(RoomEvent.ChatMessage, (m, p) => tell('chat', p, { text: m.message }))
      .on(RoomEvent.DataReceived, (bytes, p, kind, topic) => tell('data', p, { topic: topic ?? '', text: text.decode(bytes) }))
      .on(RoomEvent.Reconnecting, () => tell('reconnecting'))
      .on(RoomEvent.Reconnected, () => tell('reconnected'))
      .on(RoomEvent.Disconnected, (reason) => tell('disconnected', null, { reason: DisconnectReason[reason] ?? '' }))
      .on(RoomEvent.ActiveSpeakersChanged, (speakers) => {
        for (const p of speakers) {
          const was = peak[p.identity] ?? { level: 0, spoke: false };
          peak[p.identity] = { level: Math.max(was.level, p.audioLevel), spoke: was.spoke || p.isSpeaking };
        }
      });
    room.registerTextStreamHandler('lk.chat', async (reader, { identity }) => tell('chat', { identity }, { text: await reader.readAll() }));
  }

  return {
    // join enters a room and, unless told otherwise, switches the microphone on; key encrypts from end to end.
    async join({ url, token, silent = false, key = '' }) {
      const options = { audioCaptureDefaults: raw, publishDefaults: { dtx: true, red: false } };
      if (key) {
        const keyProvider = new ExternalE2EEKeyProvider();
        await keyProvider.setKey(key);
        options.encryption = { keyProvider, worker: new Worker('livekit-client.e2ee.worker.js') };
      }
      room = new Room(options);
      listen();
      if (key) await room.setE2EEEnabled(true);
      await room.connect(url, token);
      if (!silent) await room.localParticipant.setMicrophoneEnabled(true, raw);
      tell('in', room.localParticipant);
    },
    leave: () => room.disconnect(),
    mute: (muted) => room.localParticipant.setMicrophoneEnabled(!muted),
    dial: (digit) => room.localParticipant.publishDtmf('0123456789*#ABCD'.indexOf(digit), digit),
    write: (message) => room.localParticipant.sendChatMessage(message),

    state: () => room?.state ?? 'none',
    recording: () => room.isRecording,
    me: () => describe(room.localParticipant),
    others: () => [...room.remoteParticipants.values()].map(describe),
    other: (identity) => {
      const p = room.remoteParticipants.get(identity);
      return p ? describe(p) : null;
    },
    phones: () => [...room.remoteParticipants.values()].map(describe).filter((p) => p.kind === 'SIP'),
    story: () => story,
    told: (what, who) => story.some((s) => s.what === what && (!who || s.who === who)),
  };
})();
