/* Lines of one level through values on a grid, by marching squares; values[j * columns + i] belongs to (i, j).
 * Ends of segments lie on edges of the grid, which are numbered, so that segments join to lines without comparing numbers. */
function contoursOf(values, columns, rows, level) {
  const nextTo = new Map(), place = new Map();
  const along = (i, j, down) => { // on the edge from (i, j) to the right, or down
    const number = 2 * (j * columns + i) + (down ? 1 : 0);
    if (!place.has(number)) {
      const a = values[j * columns + i], b = values[down ? (j + 1) * columns + i : j * columns + i + 1];
      const part = Math.min(Math.max((level - a) / (b - a), 0), 1);
      place.set(number, down ? [i, j + part] : [i + part, j]);
    }
    return number;
  };
  const join = (a, b) => {
    for (const [from, to] of [[a, b], [b, a]]) {
      if (!nextTo.has(from)) nextTo.set(from, []);
      nextTo.get(from).push(to);
    }
  };
  for (let j = 0; j + 1 < rows; j++)
    for (let i = 0; i + 1 < columns; i++) {
      const corner = [values[j * columns + i], values[j * columns + i + 1],
                      values[(j + 1) * columns + i + 1], values[(j + 1) * columns + i]];
      const inside = corner.map((value) => value < level);
      const edges = [];
      if (inside[0] !== inside[1]) edges.push(along(i, j, false));
      if (inside[1] !== inside[2]) edges.push(along(i + 1, j, true));
      if (inside[3] !== inside[2]) edges.push(along(i, j + 1, false));
      if (inside[0] !== inside[3]) edges.push(along(i, j, true));
      if (edges.length === 2) join(edges[0], edges[1]);
      else if (edges.length === 4) { // a saddle: the middle tells which corners belong together
        const middle = (corner[0] + corner[1] + corner[2] + corner[3]) / 4 < level;
        if (middle === inside[0]) { join(edges[0], edges[1]); join(edges[2], edges[3]); }
        else { join(edges[0], edges[3]); join(edges[1], edges[2]); }
      }
    }
  const lines = [];
  const follow = (start) => {
    const line = [place.get(start)];
    for (let at = start; nextTo.get(at).length > 0;) {
      const to = nextTo.get(at).pop(), back = nextTo.get(to);
      back.splice(back.indexOf(at), 1);
      line.push(place.get(to));
      at = to;
    }
    lines.push(line);
  };
  for (const [edge, neighbours] of nextTo) if (neighbours.length === 1) follow(edge);
  for (const [edge, neighbours] of nextTo) if (neighbours.length > 0) follow(edge);
  return lines;
}
