/** The script of the page of games: filters, sorting, twenty games at a time. Plain JavaScript, run in the page. */

export const GAMES_SCRIPT = `
'use strict'
const { names, games } = JSON.parse(document.getElementById('data').textContent)
const make = (tag, className, text) => {
  const element = document.createElement(tag)
  if (className) element.className = className
  if (text !== undefined) element.textContent = text
  return element
}
const byId = id => document.getElementById(id)
const [outcome, other, dataset, sort, search] = ['outcome', 'other', 'dataset', 'sort', 'search'].map(id => byId('games-' + id))
const outcomeOf = preference => preference === null ? 'none' : preference > 1.5 ? 'won' : preference < 1.5 ? 'lost' : 'draw'
const said = { won: 'won', lost: 'lost', draw: 'draw', none: 'no judgement' }

for (const name of [...new Set(games.map(game => game.dataset))].filter(Boolean).sort()) {
  const option = make('option', '', name)
  option.value = name
  dataset.append(option)
}
dataset.parentElement.hidden = dataset.options.length < 3

const side = (name, text, preference) => {
  const element = make('div', 'side')
  const header = make('header')
  header.append(make('b', '', name), make('span', '', [...text].length + ' characters'))
  if (preference !== undefined) {
    const result = outcomeOf(preference)
    header.append(make('span', 'outcome ' + result, said[result] + (preference === null ? '' : ' (' + Number(preference.toFixed(3)) + ')')))
  }
  element.append(header, make('div', 'text', text))
  return element
}
const card = game => {
  const element = make('article', 'card')
  const header = make('header')
  header.append(make('b', '', '#' + game.n))
  for (const part of [game.dataset, game.order && 'shown ' + game.order, game.failure]) if (part) header.append(make('span', '', part))
  const sides = make('div', 'sides')
  sides.append(side(names[0], game.reference), side(names[1], game.model, game.preference))
  if (game.there) sides.append(side(names[2], game.there.output, game.there.preference))
  element.append(header, make('div', 'text prompt', game.instruction), sides)
  if (game.raw) {
    const details = make('details')
    details.append(make('summary', 'soft', 'what the judge said'), make('div', 'text', game.raw))
    element.append(details)
  }
  return element
}

const keys = {
  file: game => game.n,
  preference: game => game.preference === null ? -1 : game.preference,
  length: game => [...game.model].length - [...game.reference].length,
  difference: game => game.there && game.preference !== null && game.there.preference !== null ? game.preference - game.there.preference : -9,
}
const list = byId('games-list')
const more = byId('games-more')
let shown = []
const draw = from => {
  if (from === 0) {
    const [key, direction] = sort.value.split(' ')
    const sign = direction === 'down' ? -1 : 1
    const wanted = search.value.toLowerCase()
    shown = games
      .filter(game => !outcome.value || outcomeOf(game.preference) === outcome.value)
      .filter(game => !other.value || (game.there && outcomeOf(game.there.preference) === other.value))
      .filter(game => !dataset.value || game.dataset === dataset.value)
      .filter(game => !wanted || [game.instruction, game.reference, game.model, game.raw || ''].some(text => text.toLowerCase().includes(wanted)))
      .sort((a, b) => sign * (keys[key](a) - keys[key](b)) || a.n - b.n)
    list.replaceChildren()
  }
  list.append(...shown.slice(from, from + 20).map(card))
  byId('games-count').textContent = shown.length + ' of ' + games.length
  more.hidden = list.children.length >= shown.length
}
for (const select of [outcome, other, dataset, sort]) select.addEventListener('change', () => draw(0))
search.addEventListener('input', () => draw(0))
more.addEventListener('click', () => draw(list.children.length))
draw(0)
`
