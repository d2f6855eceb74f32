// What the page gains when scripts run: theme, readings under the pointer, zoom, choices, downloads.
// Plain script: it works from a disk, asks the network for nothing and changes no figure.
(function () {
  'use strict';
  var root = document.documentElement;
  var all = function (selector, within) { return Array.prototype.slice.call((within || document).querySelectorAll(selector)); };
  var SVG = 'http://www.w3.org/2000/svg';
  root.classList.add('script');

  // ---- light and dark
  var theme = document.getElementById('theme');
  var prefers = window.matchMedia ? window.matchMedia('(prefers-color-scheme: dark)') : { matches: false };
  var dark = function () { return root.dataset.theme ? root.dataset.theme === 'dark' : prefers.matches; };
  var told = function () { theme.textContent = dark() ? 'Light' : 'Dark'; theme.setAttribute('aria-pressed', String(dark())); };
  theme.addEventListener('click', function () { root.dataset.theme = dark() ? 'light' : 'dark'; told(); });
  told();

  // ---- small things
  function save(name, type, text) {
    var link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type: type }));
    link.download = name;
    document.body.appendChild(link);
    link.click();
    link.remove();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
  }
  function cells(row) { return Array.prototype.map.call(row.cells, function (cell) { return cell.textContent.trim(); }); }
  function csv(table) {
    return Array.prototype.map.call(table.rows, function (row) {
      return cells(row).map(function (text) { return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text; }).join(',');
    }).join('\n') + '\n';
  }
  all('button.csv').forEach(function (button) {
    button.addEventListener('click', function () {
      save(button.dataset.name + '.csv', 'text/csv', csv(button.parentNode.querySelector('table')));
    });
  });
  all('button.copy').forEach(function (button) {
    button.addEventListener('click', function () {
      var text = document.getElementById(button.dataset.of).textContent;
      var done = function () { button.textContent = 'Copied'; setTimeout(function () { button.textContent = 'Copy'; }, 1500); };
      var old = function () {
        var area = document.createElement('textarea');
        area.value = text;
        document.body.appendChild(area);
        area.select();
        document.execCommand('copy');
        area.remove();
        done();
      };
      if (navigator.clipboard) { navigator.clipboard.writeText(text).then(done, old); } else { old(); }
    });
  });
  all('button.json').forEach(function (button) {
    button.addEventListener('click', function () {
      save(button.dataset.name, 'application/json', document.getElementById(button.dataset.of).textContent);
    });
  });

  // ---- the table: absolute, or relative to a plane
  all('fieldset[data-relative]').forEach(function (set) {
    var table = document.getElementById(set.dataset.relative);
    set.addEventListener('change', function () {
      var to = set.querySelector('input:checked').value;
      all('tbody td', table).forEach(function (cell) {
        var absolute = cell.querySelector('.absolute');
        var chosen = to === '' ? null : cell.querySelector('.rel[data-to="' + to + '"]');
        all('.rel', cell).forEach(function (other) { other.hidden = other !== chosen; });
        if (absolute) { absolute.hidden = chosen !== null; }
      });
    });
  });

  // ---- what only makes the page shorter
  all('.hide-defaults').forEach(function (box) {
    box.addEventListener('change', function () { document.getElementById(box.dataset.of).classList.toggle('brief', box.checked); });
  });
  all('.filter').forEach(function (box) {
    box.addEventListener('input', function () {
      var wanted = box.value.toLowerCase();
      all('tbody tr', document.getElementById(box.dataset.of)).forEach(function (row) {
        row.hidden = row.textContent.toLowerCase().indexOf(wanted) < 0;
      });
    });
  });

  // ---- one choice among several views
  all('[data-views]').forEach(function (set) {
    all('[data-later]', document.getElementById(set.dataset.views)).forEach(function (view) { view.hidden = true; });
    set.addEventListener('change', function () {
      var chosen = set.querySelector('input:checked').value;
      all('[data-view]', document.getElementById(set.dataset.views)).forEach(function (view) {
        view.hidden = view.dataset.view !== chosen;
      });
    });
  });

  // ---- planes in and out
  all('.legend').forEach(function (legend) {
    var panel = legend.closest('section');
    legend.addEventListener('change', function (event) {
      panel.classList.toggle('off' + event.target.dataset.plane % 8, !event.target.checked);
    });
  });

  // ---- readings
  var hint = document.getElementById('hint');
  function tell(text, x, y) {
    hint.textContent = text;
    hint.hidden = false;
    var wide = hint.offsetWidth, high = hint.offsetHeight;
    hint.style.left = Math.max(4, Math.min(x + 16, window.innerWidth - wide - 8)) + 'px';
    hint.style.top = Math.max(4, Math.min(y + 16, window.innerHeight - high - 8)) + 'px';
  }
  function hush() { hint.hidden = true; }
  document.addEventListener('keydown', function (event) { if (event.key === 'Escape') { hush(); } });

  function Chart(figure) {
    var data = figure.dataset;
    this.figure = figure;
    this.svg = figure.querySelector('svg');
    this.plot = figure.querySelector('.plot');
    this.left = +data.left;
    this.wide = +data.wide;
    this.top = +data.top;
    this.height = +data.height;
    this.from = this.low = +data.from;
    this.to = this.high = +data.to;
    this.log = 'log' in data;
    this.box = this.plot.getAttribute('viewBox').split(' ').map(Number);
    this.rows = null;
    this.at = -1;
  }
  Chart.prototype.table = function () {
    if (!this.rows) {
      var table = this.figure.querySelector('.twin table');
      this.head = table ? cells(table.tHead.rows[0]) : [];
      this.rows = table ? Array.prototype.map.call(table.tBodies[0].rows, cells) : [];
      // Where values stand at equal distances, a row's number is its place.
      var rank = 'rank' in this.figure.dataset;
      this.xs = this.rows.map(function (row, i) { return rank ? i : parseFloat(row[0]); });
    }
    return this.rows;
  };
  Chart.prototype.share = function (value) {
    return this.log ? Math.log(value / this.low) / Math.log(this.high / this.low) : (value - this.low) / (this.high - this.low);
  };
  Chart.prototype.value = function (clientX) {
    var box = this.svg.getBoundingClientRect();
    var unit = this.svg.viewBox.baseVal.width / box.width;
    var share = ((clientX - box.left) * unit - this.left) / this.wide;
    share = Math.max(0, Math.min(1, share));
    return this.log ? this.low * Math.pow(this.high / this.low, share) : this.low + share * (this.high - this.low);
  };
  Chart.prototype.nearest = function (value) {
    this.table();
    var best = -1, least = Infinity;
    for (var i = 0; i < this.xs.length; i++) {
      var far = Math.abs(this.xs[i] - value);
      if (far < least) { least = far; best = i; }
    }
    return best;
  };
  Chart.prototype.mark = function (value) {
    if (!this.cursor) {
      this.cursor = document.createElementNS(SVG, 'path');
      this.cursor.setAttribute('class', 'cursor');
      this.svg.appendChild(this.cursor);
    }
    var share = value === null ? -1 : this.share(value);
    this.cursor.setAttribute('d', share < 0 || share > 1 ? '' : 'M' + (this.left + share * this.wide) + ' ' + this.top + 'v' + this.height);
  };
  Chart.prototype.read = function (i, x, y) {
    var row = this.table()[i];
    if (!row) { return; }
    this.at = i;
    var head = this.head;
    var unit = this.figure.dataset.unit || '';
    var lines = row.slice(1).map(function (text, n) { return text === '' ? null : head[n + 1] + ': ' + text + unit; });
    tell(head[0] + ' = ' + row[0] + '\n' + lines.filter(Boolean).join('\n'), x, y);
    this.mark(this.xs[i]);
  };
  Chart.prototype.show = function (low, high) {
    this.low = low;
    this.high = high;
    var whole = this.to - this.from, wide = this.box[2];
    this.plot.setAttribute('viewBox', [(low - this.from) / whole * wide, 0, (high - low) / whole * wide, this.box[3]].join(' '));
    var ticks = this.svg.querySelector('.xticks');
    if (!this.ticks) { this.ticks = ticks.innerHTML; }
    if (low === this.from && high === this.to) { ticks.innerHTML = this.ticks; } else { this.retick(ticks); }
    var self = this;
    all('.names text', this.svg).forEach(function (name) {
      if (name.dataset.x === undefined) { name.dataset.x = name.getAttribute('x'); }
      var share = self.share(+name.dataset.from);
      var whole = low === self.from && high === self.to;
      name.setAttribute('x', whole ? name.dataset.x : self.left + Math.max(0, share) * self.wide);
      name.style.display = share > 1 ? 'none' : '';
    });
    this.mark(null);
  };
  Chart.prototype.retick = function (ticks) {
    var length = this.high - this.low;
    var step = Math.pow(10, Math.floor(Math.log10(length / 8)));
    step = [1, 2, 5, 10].map(function (n) { return n * step; }).filter(function (s) { return length / s <= 10; })[0];
    var bottom = this.top + this.height;
    ticks.textContent = '';
    for (var t = Math.ceil(this.low / step) * step; t <= this.high; t += step) {
      var x = this.left + this.share(t) * this.wide;
      var path = document.createElementNS(SVG, 'path');
      path.setAttribute('d', 'M' + x + ' ' + bottom + 'v4');
      var text = document.createElementNS(SVG, 'text');
      text.setAttribute('x', x);
      text.setAttribute('y', bottom + 17);
      text.setAttribute('text-anchor', 'middle');
      text.textContent = +t.toFixed(3) + ' s';
      ticks.appendChild(path);
      ticks.appendChild(text);
    }
  };

  // ---- strips: a dot is a replication, a row a plane
  Chart.prototype.dot = function (event) {
    var value = this.value(event.clientX);
    var box = this.svg.getBoundingClientRect();
    var y = (event.clientY - box.top) * this.svg.viewBox.baseVal.height / box.height;
    this.table();
    var column = Math.floor((y - this.top) / this.height * (this.head.length - 1)) + 1;
    if (column < 1 || column >= this.head.length) { hush(); return; }
    var best = null, least = Infinity;
    this.rows.forEach(function (row) {
      var far = Math.abs(parseFloat(row[column]) - value);
      if (far < least) { least = far; best = row; }
    });
    if (best) { tell(this.head[column] + ', replication ' + best[0] + ': ' + best[column], event.clientX, event.clientY); }
  };

  var charts = all('figure[data-left]').map(function (figure) { return new Chart(figure); });
  var zoomed = function (chart) {
    var article = chart.figure.closest('article');
    return charts.filter(function (other) { return 'zoom' in other.figure.dataset && other.figure.closest('article') === article; });
  };
  function zoom(chart, low, high) {
    low = Math.max(chart.from, low);
    high = Math.min(chart.to, high);
    if (high - low < (chart.to - chart.from) / 500) { return; }
    zoomed(chart).forEach(function (other) { other.show(Math.max(low, other.from), Math.min(high, other.to)); });
    var whole = low === chart.from && high === chart.to;
    all('button.reset', chart.figure.closest('article')).forEach(function (button) { button.hidden = whole; });
  }
  all('button.reset').forEach(function (button) {
    button.addEventListener('click', function () {
      var one = charts.filter(function (chart) { return 'zoom' in chart.figure.dataset && chart.figure.closest('article') === button.closest('article'); })[0];
      if (one) { zoom(one, one.from, one.to); }
    });
  });

  charts.forEach(function (chart) {
    var zooms = 'zoom' in chart.figure.dataset;
    var scroll = chart.figure.querySelector('.scroll');
    var start = null, brush = null;
    function leave() { hush(); zoomed(chart).concat(chart).forEach(function (other) { other.mark(null); }); }
    chart.svg.addEventListener('pointermove', function (event) {
      var value = chart.value(event.clientX);
      if ('plain' in chart.figure.dataset) { chart.dot(event); return; }
      if ('lanes' in chart.figure.dataset) {
        var said = event.target.closest('[data-say]');
        if (said) { tell(said.dataset.say, event.clientX, event.clientY); } else { hush(); }
        chart.mark(value);
      } else { chart.read(chart.nearest(value), event.clientX, event.clientY); }
      if (zooms) { zoomed(chart).forEach(function (other) { if (other !== chart) { other.mark(value); } }); }
      if (brush) {
        var a = chart.left + chart.share(Math.min(start, value)) * chart.wide, b = chart.left + chart.share(Math.max(start, value)) * chart.wide;
        brush.setAttribute('x', a);
        brush.setAttribute('width', b - a);
      }
    });
    chart.svg.addEventListener('pointerleave', leave);
    if (zooms) {
      chart.svg.addEventListener('pointerdown', function (event) {
        if (event.button !== 0 || event.pointerType === 'touch') { return; }
        start = chart.value(event.clientX);
        brush = document.createElementNS(SVG, 'rect');
        brush.setAttribute('class', 'brush');
        brush.setAttribute('y', chart.top);
        brush.setAttribute('height', chart.height);
        chart.svg.appendChild(brush);
        event.preventDefault();
      });
      window.addEventListener('pointerup', function (event) {
        if (!brush) { return; }
        brush.remove();
        brush = null;
        var end = chart.value(event.clientX);
        if (Math.abs(end - start) > (chart.high - chart.low) / 100) { zoom(chart, Math.min(start, end), Math.max(start, end)); }
      });
      chart.svg.addEventListener('dblclick', function () { zoom(chart, chart.from, chart.to); });
    }
    scroll.addEventListener('keydown', function (event) {
      if ('plain' in chart.figure.dataset || 'lanes' in chart.figure.dataset) { return; }
      var rows = chart.table();
      var at = chart.at < 0 ? 0 : chart.at;
      var box = chart.svg.getBoundingClientRect();
      var key = event.key;
      if (key === 'ArrowRight') { at = Math.min(rows.length - 1, at + 1); } else if (key === 'ArrowLeft') { at = Math.max(0, at - 1); } else if (key === 'Home') { at = 0; } else if (key === 'End') { at = rows.length - 1; } else if (zooms && (key === '+' || key === '-' || key === '0')) {
        var middle = chart.xs[at], half = (chart.high - chart.low) / 2 * (key === '+' ? 0.5 : 2);
        if (key === '0') { zoom(chart, chart.from, chart.to); } else { zoom(chart, middle - half, middle + half); }
        event.preventDefault();
        return;
      } else { return; }
      event.preventDefault();
      hint.setAttribute('aria-live', 'polite');
      chart.read(at, box.left + (chart.left + chart.share(chart.xs[at]) * chart.wide) * box.width / chart.svg.viewBox.baseVal.width, box.top + 20);
    });
    scroll.addEventListener('blur', leave);
  });

  // ---- the map, played along the run
  all('[data-map]').forEach(function (player) {
    var figure = document.getElementById(player.dataset.map);
    var data = JSON.parse(document.getElementById(player.dataset.map + '-data').textContent);
    var flows = all('[data-edge]', figure);
    var range = player.querySelector('input[type=range]');
    var button = player.querySelector('.play');
    var output = player.querySelector('output');
    var timer = null;
    var still = window.matchMedia && window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    function plane() { return data.planes[+player.querySelector('input[type=radio]:checked').value]; }
    function level(rate) { return [0, 0.001, 0.01, 0.1].filter(function (limit) { return rate > 0 && rate >= limit; }).length; }
    function percent(rate) { var p = rate * 100; return p < 0.01 ? '<0.01 %' : p.toFixed(p >= 9.95 ? 1 : 2) + ' %'; }
    // Rate, error rate of an edge: whole run for frame 0, else that frame.
    function state(of, edge, frame) {
      if (frame === 0 || !of.calls) { return [of.rate[edge] || 0, of.errors[edge] || 0]; }
      var calls = of.calls[edge][frame - 1] || 0;
      return [calls / of.frame, calls > 0 ? of.failed[edge][frame - 1] / calls : 0];
    }
    function draw() {
      var of = plane(), frame = range ? +range.value : 0, most = 0;
      // One scale for all frames: an arrow that shrinks carries less.
      of.rate.forEach(function (rate, edge) {
        most = Math.max(most, rate || 0);
        if (of.calls) { of.calls[edge].forEach(function (calls) { most = Math.max(most, frame === 0 ? 0 : calls / of.frame); }); }
      });
      flows.forEach(function (flow) {
        var edge = +flow.dataset.edge, now = state(of, edge, frame);
        flow.setAttribute('class', 'flow e' + level(now[1]) + (now[0] > 0 ? '' : ' idle'));
        flow.querySelector('.line').setAttribute('stroke-width', 1.2 + 8 * Math.sqrt(most > 0 ? now[0] / most : 0));
        var text = flow.querySelector('text');
        if (text) { text.textContent = now[1] > 0 ? percent(now[1]) : ''; }
      });
      if (output) { output.textContent = frame === 0 ? 'whole run' : +((frame - 1) * of.frame).toFixed(1) + ' s to ' + +Math.min(frame * of.frame, data.end).toFixed(1) + ' s'; }
    }
    function stop() { clearInterval(timer); timer = null; button.textContent = 'Play'; button.setAttribute('aria-pressed', 'false'); }
    player.addEventListener('input', draw);
    player.addEventListener('change', draw);
    if (button) {
      button.addEventListener('click', function () {
        if (timer) { stop(); return; }
        if (+range.value >= +range.max) { range.value = 0; }
        button.textContent = 'Pause';
        button.setAttribute('aria-pressed', 'true');
        timer = setInterval(function () {
          if (+range.value >= +range.max) { stop(); return; }
          range.value = +range.value + 1;
          draw();
        }, still ? 1000 : 220);
      });
    }
    flows.forEach(function (flow) {
      var title = flow.querySelector('title'), name = title.textContent;
      title.remove();
      flow.addEventListener('pointermove', function (event) {
        var of = plane(), edge = +flow.dataset.edge, now = state(of, edge, range ? +range.value : 0);
        var policy = of.policy[edge] === null ? '' : '\n\n' + data.policies[of.policy[edge]];
        tell(name + ' on ' + of.name + '\n' + now[0].toFixed(1) + ' calls/s, ' + (now[1] > 0 ? percent(now[1]) : 'no') + ' errors' + (of.p99[edge] === null ? '' : ', p99 ' + of.p99[edge] + ' ms') + policy, event.clientX, event.clientY);
      });
      flow.addEventListener('pointerleave', hush);
    });
    draw();
  });

  // ---- where in the page
  if ('IntersectionObserver' in window) {
    var links = {};
    all('nav a').forEach(function (link) { links[link.getAttribute('href').slice(1)] = link; });
    var seen = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        var link = links[entry.target.id];
        if (link && entry.isIntersecting) {
          all('nav a[aria-current]').forEach(function (other) { other.removeAttribute('aria-current'); });
          link.setAttribute('aria-current', 'true');
        }
      });
    }, { rootMargin: '-20% 0px -70% 0px' });
    all('section.panel').forEach(function (panel) { seen.observe(panel); });
  }
}());
