// Sound from the microphone in blocks of about 100 ms, as the context's rate has them.

const BLOCK = 1600;

class Blocks extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(BLOCK);
    this.filled = 0;
    this.port.onmessage = () => this.give();
  }

  give() {
    if (this.filled) this.port.postMessage(this.block.slice(0, this.filled));
    this.filled = 0;
  }

  process([inputs]) {
    const samples = inputs?.[0];
    if (!samples) return true;
    for (const sample of samples) {
      this.block[this.filled] = sample;
      this.filled += 1;
      if (this.filled === BLOCK) this.give();
    }
    return true;
  }
}

registerProcessor("moodal-blocks", Blocks);
