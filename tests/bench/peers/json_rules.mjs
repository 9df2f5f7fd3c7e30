// json-rules-engine: a rule a grade and a star, one run of the engine a member.
// node json_rules.mjs RULES.json MEMBERS.json ANSWERS.json    a member or an answer a line
import { readFileSync, writeFileSync } from 'node:fs';
import { Engine } from 'json-rules-engine';

const [rules, members, answers] = process.argv.slice(2);
const { fewest, mostAbsences, grades, stars } = JSON.parse(readFileSync(rules, 'utf8'));

const fact = (name, operator, value) => ({ fact: name, operator, value });
const both = (total, activities) => [
  fact('total', 'greaterThanInclusive', total),
  fact('activities', 'greaterThanInclusive', activities),
];
const vetoed = fact('vetoed', 'equal', true);
const idle = fact('activities', 'lessThan', fewest);
const few = fact('absence', 'lessThanInclusive', mostAbsences);
const always = { all: [] };

// of each verdict in order; the first that holds counts
const lists = {
  grade: [
    ['fail', { any: [vetoed, idle] }],
    ...grades.map(([grade, ...marks]) => [grade, { all: grade === 'excellent' ? [...both(...marks), few] : both(...marks) }]),
    ['fail', always],
  ],
  star: [[0, { all: [vetoed] }], ...stars.map(([star, ...marks]) => [star, { all: both(...marks) }]), [0, always]],
};

const engines = Object.entries(lists).map(([verdict, list]) => {
  const engine = new Engine();
  list.forEach(([value, conditions], nth) =>
    engine.addRule({ conditions, priority: list.length - nth, event: { type: verdict, params: { value } } }));
  engine.on('success', () => engine.stop());
  return engine;
});

const lines = [];
for (const line of readFileSync(members, 'utf8').split('\n')) {
  if (!line) continue;
  const member = JSON.parse(line);
  const answer = { id: member.id };
  for (const engine of engines) {
    const { events } = await engine.run(member);
    answer[events[0].type] = events[0].params.value;
  }
  answer.exit = answer.grade === 'fail' && member.last_grade === 'fail';
  lines.push(JSON.stringify(answer));
}
writeFileSync(answers, lines.join('\n') + '\n');
