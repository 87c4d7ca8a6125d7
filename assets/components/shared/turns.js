// The browser's count of its gestures, by which a component knows a late answer from Python; core/ui/kit/turns.py is the other side.

export class Turns {
  constructor() {
    this.made = 0; // gestures made here
    this.own = -1; // how often Python had set something, when it last sent something
  }

  // A gesture is made: what Python sends without knowing of it is late from now on.
  next() {
    this.made += 1;
    return this;
  }

  // Tell Python what was made; `trigger` is Streamlit's way to send.
  send(name, message) {
    this.trigger(name, { ...message, turn: this.made });
  }

  // Whether data from Python are to be taken over: it has set something itself, or it answers the newest gesture.
  news({ own, seen }) {
    const set = own !== this.own;
    this.own = own;
    if (seen > this.made) this.made = seen; // counted on from where an earlier drawing of this component stopped
    return set || seen >= this.made;
  }
}
