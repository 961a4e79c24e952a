/** The report's script: values under the pointer, the legend's switches, the viewer of rollouts. Plain JavaScript, run in the page. */

export const PAGE_SCRIPT = `
'use strict'
const data = JSON.parse(document.getElementById('data').textContent)
const make = (tag, className, text) => {
  const element = document.createElement(tag)
  if (className) element.className = className
  if (text !== undefined) element.textContent = text
  return element
}
const figure = x => x === null ? '–' : Math.abs(x) >= 100 ? x.toFixed(0) : String(Number(x.toPrecision(4)))

for (const key of document.querySelectorAll('button.key')) {
  key.addEventListener('click', () => {
    const shown = key.getAttribute('aria-pressed') === 'false'
    key.setAttribute('aria-pressed', String(shown))
    for (const series of document.querySelectorAll('.series')) {
      if (series.dataset.arm === key.dataset.arm) series.toggleAttribute('hidden', !shown)
    }
  })
}

for (const chart of document.querySelectorAll('.chart')) {
  const frame = JSON.parse(chart.dataset.frame)
  const curve = data.curves[Number(chart.dataset.index)]
  const svg = chart.querySelector('svg')
  const cursor = chart.querySelector('.cursor')
  const values = chart.querySelector('.values')
  svg.addEventListener('pointermove', event => {
    const box = svg.getBoundingClientRect()
    const px = Math.min(frame.right, Math.max(frame.left, (event.clientX - box.left) / box.width * frame.width))
    const step = frame.minX + (px - frame.left) / (frame.right - frame.left) * (frame.maxX - frame.minX)
    cursor.setAttribute('x1', px)
    cursor.setAttribute('x2', px)
    cursor.removeAttribute('hidden')
    const drawn = [...chart.querySelectorAll('.series')].filter(series => !series.hasAttribute('hidden'))
    const lines = drawn.map(series => {
      const { points } = curve.series.find(({ name }) => name === series.dataset.arm)
      const [at, value] = points.reduce((a, b) => Math.abs(b[0] - step) < Math.abs(a[0] - step) ? b : a)
      const line = make('div', series.getAttribute('class').replace('series', ''))
      line.append(make('i', 'swatch'), make('span', '', series.dataset.arm), make('b', '', figure(value)))
      return { at, line }
    })
    if (lines.length === 0) return
    values.replaceChildren(make('small', '', 'step ' + lines[0].at), ...lines.map(({ line }) => line))
    values.style.left = px / frame.width > 0.55 ? '60px' : 'auto'
    values.style.right = px / frame.width > 0.55 ? 'auto' : '14px'
  })
  svg.addEventListener('pointerleave', () => {
    cursor.setAttribute('hidden', '')
    values.replaceChildren()
  })
}

const list = document.getElementById('rollout-list')
if (list) {
  const [sort, arm, step] = ['sort', 'arm', 'step'].map(id => document.getElementById('rollout-' + id))
  const more = document.getElementById('rollout-more')
  const count = document.getElementById('rollout-count')
  const options = (select, values) => {
    const chosen = select.value
    select.replaceChildren(select.firstElementChild, ...values.map(value => {
      const option = make('option', '', value)
      option.value = value
      return option
    }))
    select.value = values.map(String).includes(chosen) ? chosen : ''
  }
  const tokens = (list) => {
    const sizes = list.map(({ reward }) => Math.abs(reward)).sort((a, b) => a - b)
    const full = sizes[Math.ceil(0.95 * sizes.length) - 1] || sizes.at(-1) || 1
    return list.map(({ text, reward }) => {
      const token = make('span', reward < 0 ? 'tok neg' : 'tok', text)
      token.style.setProperty('--h', Math.min(1, Math.abs(reward) / full).toFixed(2))
      token.dataset.r = figure(reward)
      return token
    })
  }
  const card = rollout => {
    const element = make('article', 'card')
    const header = make('header')
    header.append(make('b', '', rollout.arm))
    for (const [label, value] of [['step', rollout.step], ['reward', figure(rollout.reward)], ['KL', figure(rollout.kl)], ['length', rollout.length]]) {
      const item = make('span', '', label + ' ')
      item.append(make('b', '', value))
      header.append(item)
    }
    const response = make('div', 'text', rollout.tokens ? undefined : rollout.response)
    if (rollout.tokens) response.append(...tokens(rollout.tokens))
    element.append(header, make('div', 'text prompt', rollout.prompt), response)
    return element
  }
  let shown = []
  const draw = from => {
    if (from === 0) {
      const [key, direction] = sort.value.split(' ')
      const sign = direction === 'down' ? -1 : 1
      shown = data.rollouts
        .filter(rollout => (!arm.value || rollout.arm === arm.value) && (!step.value || String(rollout.step) === step.value))
        .sort((a, b) => sign * (a[key] - b[key]))
      list.replaceChildren()
    }
    list.append(...shown.slice(from, from + 20).map(card))
    count.textContent = shown.length + ' of ' + data.rollouts.length
    more.hidden = list.children.length >= shown.length
  }
  options(arm, [...new Set(data.rollouts.map(rollout => rollout.arm))])
  const steps = () => options(step, [...new Set(data.rollouts.filter(r => !arm.value || r.arm === arm.value).map(r => r.step))].sort((a, b) => a - b))
  steps()
  arm.addEventListener('change', () => { steps(); draw(0) })
  for (const select of [sort, step]) select.addEventListener('change', () => draw(0))
  more.addEventListener('click', () => draw(list.children.length))
  draw(0)
}
`
