// The viewers of a report page: three planes on canvases, and NiiVue's 3-D view where the page holds its script.
const page = JSON.parse(document.getElementById("volumes").textContent);
const [X, Y, Z] = page.shape;
const BRAIN = page.brain, GREYS = page.greys;
const COLORS = page.colors.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
const BRAIN_COLOR = [1, 3, 5].map((at) => parseInt(page.brain_color.slice(at, at + 2), 16));
// The axes that run across and up a plane, and the one that its slider moves along. Right and front are drawn at the
// left, as radiologists have it.
const PLANES = {
  axial: { across: 0, up: 1, along: 2, letters: "RLAP" },
  coronal: { across: 0, up: 2, along: 1, letters: "RLSI" },
  sagittal: { across: 1, up: 2, along: 0, letters: "APSI" },
};
const STRIDE = [1, X, X * Y];
const at = page.center.slice();
const volumes = {};
let shown = Object.keys(page.sequences)[0];

async function unzipped(base64) {
  const bytes = Uint8Array.from(atob(base64.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const grey = async (name) => (volumes[name] ??= await unzipped(page.sequences[name]));

function edgeOf(values, index, across, up, column, row, columns, rows, test) {
  if (!test(values[index])) return false;
  return (column > 0 && !test(values[index + STRIDE[across]])) || (column < columns - 1 && !test(values[index - STRIDE[across]]))
    || (row > 0 && !test(values[index + STRIDE[up]])) || (row < rows - 1 && !test(values[index - STRIDE[up]]));
}

function paint(name) {
  const { across, up, along, letters } = PLANES[name];
  const columns = page.shape[across], rows = page.shape[up];
  const image = new ImageData(columns, rows), pixels = image.data;
  const scan = volumes[shown], overlay = volumes.overlay;
  const strength = document.getElementById("strength").value / 100;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const index = (columns - 1 - column) * STRIDE[across] + (rows - 1 - row) * STRIDE[up] + at[along] * STRIDE[along];
      const value = scan[index] * 255 / (GREYS - 1), over = overlay[index], kind = over % BRAIN;
      let color = null, share = 0;
      if (strength && kind) {
        const edge = edgeOf(overlay, index, across, up, column, row, columns, rows, (v) => v % BRAIN === kind);
        color = COLORS[kind]; share = edge ? Math.min(1, 2 * strength) : strength;
      } else if (strength && edgeOf(overlay, index, across, up, column, row, columns, rows, (v) => v >= BRAIN)) {
        color = BRAIN_COLOR; share = Math.min(1, 1.6 * strength);
      }
      const pixel = 4 * (row * columns + column);
      for (let c = 0; c < 3; c++) pixels[pixel + c] = color ? value * (1 - share) + color[c] * share : value;
      pixels[pixel + 3] = 255;
    }
  }
  const canvas = document.getElementById(`plane-${name}`), context = canvas.getContext("2d");
  const small = new OffscreenCanvas(columns, rows);
  small.getContext("2d").putImageData(image, 0, 0);
  const scale = Math.max(1, Math.round(640 / Math.max(columns, rows)));
  canvas.width = columns * scale; canvas.height = rows * scale;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  context.strokeStyle = "rgba(255,255,255,.3)";
  context.beginPath();
  const x = (columns - .5 - at[across]) * scale, y = (rows - .5 - at[up]) * scale;
  context.moveTo(x, 0); context.lineTo(x, canvas.height); context.moveTo(0, y); context.lineTo(canvas.width, y);
  context.stroke();
  context.font = `${Math.round(canvas.width / 22)}px system-ui, sans-serif`;
  context.fillStyle = "#d8dbdf"; context.strokeStyle = "#000"; context.lineWidth = 3;
  const places = [[.02, .5, "left", "middle"], [.98, .5, "right", "middle"], [.5, .02, "center", "top"], [.5, .98, "center", "bottom"]];
  places.forEach(([u, v, align, baseline], i) => {
    context.textAlign = align; context.textBaseline = baseline;
    context.strokeText(letters[i], u * canvas.width, v * canvas.height);
    context.fillText(letters[i], u * canvas.width, v * canvas.height);
  });
  const slider = document.getElementById(`slice-${name}`);
  slider.value = at[along];
  const said = `${at[along] + 1} of ${page.shape[along]}`;
  slider.setAttribute("aria-valuetext", said);
  document.getElementById(`said-${name}`).textContent = said;
}

const paintAll = () => Object.keys(PLANES).forEach(paint);

function point(event, name) {
  const { across, up } = PLANES[name], box = event.currentTarget.getBoundingClientRect();
  const clamp = (axis, share) => { at[axis] = Math.min(page.shape[axis] - 1, Math.max(0, Math.floor((1 - share) * page.shape[axis]))); };
  clamp(across, (event.clientX - box.left) / box.width);
  clamp(up, (event.clientY - box.top) / box.height);
  paintAll();
}

async function startPlanes() {
  volumes.overlay = await unzipped(page.overlay);
  await grey(shown);
  for (const [name, { along }] of Object.entries(PLANES)) {
    document.getElementById(`slice-${name}`).addEventListener("input", (event) => { at[along] = Number(event.target.value); paintAll(); });
    const canvas = document.getElementById(`plane-${name}`);
    canvas.addEventListener("pointerdown", (event) => point(event, name));
    canvas.addEventListener("pointermove", (event) => { if (event.buttons && event.pointerType === "mouse") point(event, name); });
  }
  document.getElementById("strength").addEventListener("input", paintAll);
  document.querySelectorAll("input[name=sequence]").forEach((radio) => radio.addEventListener("change", async (event) => {
    await grey(event.target.value);
    shown = event.target.value;
    paintAll();
  }));
  paintAll();
  document.getElementById("planes").hidden = false;
}

// A NIfTI-1 file in memory: header of 348 bytes, no extension, one byte a voxel.
function nifti(values) {
  const file = new Uint8Array(352 + values.length), view = new DataView(file.buffer);
  view.setInt32(0, 348, true);
  [3, X, Y, Z, 1, 1, 1, 1].forEach((n, i) => view.setInt16(40 + 2 * i, n, true));
  view.setInt16(70, 2, true); view.setInt16(72, 8, true);
  [1, page.spacing_mm, page.spacing_mm, page.spacing_mm, 1, 1, 1, 1].forEach((n, i) => view.setFloat32(76 + 4 * i, n, true));
  view.setFloat32(108, 352, true); view.setFloat32(112, 1, true);
  view.setUint8(123, 2); view.setInt16(254, 1, true);
  [0, 1, 2].forEach((axis) => {
    view.setFloat32(280 + 20 * axis, page.spacing_mm, true);
    view.setFloat32(292 + 16 * axis, -page.spacing_mm * (page.shape[axis] - 1) / 2, true);
  });
  file.set([0x6e, 0x2b, 0x31, 0], 344);
  file.set(values, 352);
  return file.buffer;
}

async function startSpace(place, say) {
  if (!document.createElement("canvas").getContext("webgl2")) {
    say("This browser has no WebGL 2, which the 3-D view needs; the planes and numbers on this page say the same.");
    return;
  }
  say("starting the 3-D view");
  const script = new TextDecoder().decode(await unzipped(document.getElementById("niivue").textContent));
  const { Niivue } = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-label", "3-D view of the scan and the tumour; the volumes and diameters are in the table below");
  canvas.setAttribute("role", "img");
  place.append(canvas);
  const viewer = new Niivue({ backColor: [.04, .05, .06, 1], show3Dcrosshair: false, isOrientCube: true, isColorbar: false, clipPlaneColor: [0, 0, 0, 0], logLevel: "error" });
  await viewer.attachToCanvas(canvas);
  const scan = await grey(Object.keys(page.sequences)[0]);
  const inside = page.has_brain ? scan.map((value, i) => (volumes.overlay[i] >= BRAIN ? value : 0)) : scan;
  await viewer.loadFromArrayBuffer(nifti(inside), "scan.nii");
  if (page.has_tumor) {
    await viewer.loadFromArrayBuffer(nifti(volumes.overlay.map((value) => value % BRAIN)), "tumor.nii");
    const pick = (channel) => COLORS.map((color) => (color ? color[channel] : 0));
    viewer.volumes[1].setColormapLabel({ R: pick(0), G: pick(1), B: pick(2), A: COLORS.map((_, i) => (i ? 255 : 0)), I: COLORS.map((_, i) => i), labels: page.names });
    viewer.volumes[1].opacity = 1;
    viewer.opts.renderOverlayBlend = 0.5; // the tumour is seen through the brain
    viewer.updateGLVolume();
  }
  viewer.setSliceType(viewer.sliceTypeRender);
  viewer.setRenderAzimuthElevation(120, 15);
  const cut = document.getElementById("cut");
  cut.addEventListener("input", () => viewer.setClipPlane(cut.value > 0 ? [0.5 - cut.value / 100, 270, 0] : [2, 0, 0]));
  document.getElementById("space-controls").hidden = false;
  say("");
  document.getElementById("space").dataset.state = "ready";
}

await startPlanes();
const space = document.getElementById("space");
if (space) {
  const note = document.getElementById("space-note");
  const say = (text) => { note.textContent = text; note.hidden = !text; };
  const begin = () => startSpace(space, say).catch((error) => {
    space.dataset.state = "failed";
    say(`The 3-D view could not start (${error.message}); the planes and numbers on this page say the same.`);
  });
  // Not before it is looked at: it takes a graphics processor and some seconds.
  const watcher = new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) { watcher.disconnect(); begin(); } });
  watcher.observe(space);
}
