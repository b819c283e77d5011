// Microphone and camera: blocks of sound at 16 kHz, JPEG pictures, and a recording to play later.

import { element } from "./dom.js";

export const RATE = 16000;
const PICTURES = 5; // a second
const WIDEST = 640; // pixels of a picture

/** Open the microphone, and the camera if asked; the browser asks the person.
 *
 * What browsers do to voices is turned off: it takes away the loudness that the model listens to.
 */
export function openDevices(camera) {
  return navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 },
    video: camera ? { width: { ideal: WIDEST }, frameRate: { ideal: 15 } } : false,
  });
}

/** Capture a stream: `hear(Float32Array)` gets sound, `see(Blob, second)` pictures.
 *
 * Returns {stop()}, which resolves to the recording as a Blob.
 */
export async function capture(stream, { preview, hear, see }) {
  const context = new AudioContext({ sampleRate: RATE });
  try {
    return await begun(context, stream, { preview, hear, see });
  } catch (error) {
    await context.close();
    throw error;
  }
}

async function begun(context, stream, { preview, hear, see }) {
  await context.audioWorklet.addModule("/static/worklet.js");
  const source = context.createMediaStreamSource(stream);
  const blocks = new AudioWorkletNode(context, "moodal-blocks", { numberOfOutputs: 1 });
  const silent = new GainNode(context, { gain: 0 });
  let heard = 0;
  blocks.port.onmessage = ({ data }) => {
    heard += data.length;
    hear(data);
  };
  source.connect(blocks).connect(silent).connect(context.destination);
  await context.resume();

  const recorder = new MediaRecorder(stream);
  const pieces = [];
  recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
  recorder.start(1000);

  const timer = stream.getVideoTracks().length ? setInterval(takePicture, 1000 / PICTURES) : null;
  const canvas = element("canvas");
  let taking = false;

  function takePicture() {
    if (taking || preview.readyState < 2 || !preview.videoWidth) return;
    taking = true;
    const scale = Math.min(1, WIDEST / Math.max(preview.videoWidth, preview.videoHeight));
    canvas.width = Math.round(preview.videoWidth * scale);
    canvas.height = Math.round(preview.videoHeight * scale);
    canvas.getContext("2d").drawImage(preview, 0, 0, canvas.width, canvas.height);
    const second = heard / RATE; // the clock of the sound, which the server counts, too
    canvas.toBlob(
      (picture) => {
        taking = false;
        if (picture) see(picture, second);
      },
      "image/jpeg",
      0.85,
    );
  }

  return {
    seconds: () => heard / RATE,
    async stop() {
      clearInterval(timer);
      blocks.port.postMessage("give");
      await new Promise((resolve) => setTimeout(resolve, 60));
      const ended = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
      if (recorder.state === "inactive") pieces.length ||= 0;
      else {
        recorder.stop();
        await ended;
      }
      stream.getTracks().forEach((one) => one.stop());
      await context.close();
      return new Blob(pieces, { type: recorder.mimeType });
    },
  };
}

/** Return a block of sound as the server's stream takes it: the kind, and samples of 16 bits. */
export function soundFrame(samples) {
  const frame = new DataView(new ArrayBuffer(1 + 2 * samples.length));
  frame.setUint8(0, 1);
  samples.forEach((sample, i) => {
    const limited = Math.max(-1, Math.min(1, sample));
    frame.setInt16(1 + 2 * i, Math.round(limited * 32767), true);
  });
  return frame.buffer;
}

/** Return a picture as the server's stream takes it: the kind, its second, and the JPEG. */
export async function pictureFrame(picture, second) {
  const head = new DataView(new ArrayBuffer(9));
  head.setUint8(0, 2);
  head.setFloat64(1, second, true);
  return new Blob([head.buffer, picture]).arrayBuffer();
}
