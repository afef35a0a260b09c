import type uPlot from 'uplot';

// Panning by dragging. A full redraw per frame is too dear for many long series (facts: 100 x 1440 points take
// 30 ms), so while the drag lasts a picture of the plot is moved, and the plot is drawn once, at its end.

interface Drag {
  readonly pointer: number;
  readonly startX: number;
  ghost: HTMLElement | undefined;
}

function makeGhost(u: uPlot, background: string): HTMLElement {
  const ratio = u.ctx.canvas.width / Math.max(1, u.width);
  const left = u.bbox.left / ratio;
  const width = u.bbox.width / ratio;
  const picture = document.createElement('canvas');
  picture.width = u.bbox.width;
  picture.height = u.ctx.canvas.height;
  picture.style.cssText = `display:block;width:${width}px;height:${u.height}px;will-change:transform`;
  picture.getContext('2d')?.drawImage(u.ctx.canvas, u.bbox.left, 0, u.bbox.width, picture.height, 0, 0, u.bbox.width, picture.height);
  const ghost = document.createElement('div');
  ghost.style.cssText = `position:absolute;top:0;left:${left}px;width:${width}px;height:${u.height}px;overflow:hidden;pointer-events:none;background:${background}`;
  ghost.append(picture);
  return ghost;
}

/** Shift-drag, middle-drag, touch, or a drag along the time axis. Returns the function that takes it off again. */
export function attachDragPan(u: uPlot, background: string, onPan: (deltaMs: number) => void): () => void {
  let drag: Drag | undefined;
  const moved = (event: PointerEvent) => event.clientX - (drag?.startX ?? 0);

  const down = (event: PointerEvent) => {
    const onAxis = event.target instanceof Element && event.target.classList.contains('u-axis');
    if (!(event.pointerType === 'touch' || event.shiftKey || event.button === 1 || (onAxis && event.button === 0))) return;
    // Keeps uPlot from starting a selection.
    event.preventDefault();
    event.stopPropagation();
    drag = { pointer: event.pointerId, startX: event.clientX, ghost: undefined };
    u.root.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent) => {
    if (drag?.pointer !== event.pointerId) return;
    if (!drag.ghost && Math.abs(moved(event)) > 3) {
      drag.ghost = makeGhost(u, background);
      u.root.append(drag.ghost);
    }
    if (drag.ghost?.firstElementChild instanceof HTMLElement) {
      drag.ghost.firstElementChild.style.transform = `translateX(${moved(event)}px)`;
    }
  };
  const up = (event: PointerEvent) => {
    if (drag?.pointer !== event.pointerId) return;
    const { ghost } = drag;
    const delta = moved(event);
    drag = undefined;
    if (!ghost) return;
    const { min = 0, max = 0 } = u.scales['x'] ?? {};
    if (event.type === 'pointerup') onPan((-delta / u.over.clientWidth) * (max - min) * 1000);
    // The plot has its new scale by the next frame.
    requestAnimationFrame(() => requestAnimationFrame(() => ghost.remove()));
  };

  const { root } = u;
  root.style.touchAction = 'pan-y';
  root.addEventListener('pointerdown', down, true);
  root.addEventListener('pointermove', move);
  root.addEventListener('pointerup', up);
  root.addEventListener('pointercancel', up);
  return () => {
    root.removeEventListener('pointerdown', down, true);
    root.removeEventListener('pointermove', move);
    root.removeEventListener('pointerup', up);
    root.removeEventListener('pointercancel', up);
  };
}
