/** How a store's tables came to be, step by step. A step that was released is never changed: what follows is a new one. */

import { type ColumnDataType, type Kysely, type Migration, sql } from 'kysely'

/** By name, in order. */
export const migrations: Record<string, Migration> = {
  '0001-start': {
    async up(db: Kysely<unknown>) {
      const table = (name: string, columns: Record<string, ColumnDataType | '!text' | '!integer'>) => {
        let made = db.schema
          .createTable(name)
          .addColumn('n', 'integer', column => column.primaryKey())
          .addColumn('id', 'text', column => column.notNull().unique())
        for (const [column, type] of Object.entries(columns)) {
          const required = type === '!text' || type === '!integer'
          made = made.addColumn(column, required ? (type.slice(1) as 'text') : type, definition =>
            required ? definition.notNull() : definition,
          )
        }
        return made.execute()
      }
      const provenance = { import: 'integer', line: 'integer', extra: 'text' } as const
      await table('imports', { file: '!text', format: '!text', container: '!text', at: '!text' })
      await table('prompts', { prompt: '!text' })
      await table('responses', { prompt: '!text', response: 'text', generator: 'text', ...provenance })
      await table('preferences', {
        prompt: '!text',
        first: '!text',
        second: '!text',
        preference: 'real',
        annotator: 'text',
        ...provenance,
      })
      await table('edits', {
        prompt: '!text',
        draft: '!text',
        final: '!text',
        ops: 'text',
        annotator: 'text',
        at: 'text',
        seconds: 'real',
        reasons: 'text',
        sampled: 'text',
        preferred: 'text',
        item: 'text',
        supersedes: 'text',
        current: '!integer',
        ...provenance,
      })
      await table('annotators', { kind: '!text', name: '!text', version: 'text' })
      await table('items', {
        prompt: '!text',
        response: '!text',
        preferred: 'text',
        source: 'text',
        sampled: 'text',
        status: '!text',
        before: '!text',
        annotator: 'text',
        window: 'text',
        lease_until: 'integer',
        edit: 'text',
        why: 'text',
        reason: 'text',
      })
      await db.schema.createIndex('items_by_status').on('items').columns(['status', 'n']).execute()
      await db.schema
        .createTable('drafts')
        .addColumn('item', 'text', column => column.notNull())
        .addColumn('annotator', 'text', column => column.notNull())
        .addColumn('text', 'text', column => column.notNull())
        .addColumn('at', 'text', column => column.notNull())
        .addPrimaryKeyConstraint('drafts_key', ['item', 'annotator'])
        .execute()
      await db.schema
        .createTable('acts')
        .addColumn('n', 'integer', column => column.primaryKey())
        .addColumn('item', 'text', column => column.notNull())
        .addColumn('annotator', 'text', column => column.notNull())
        .addColumn('act', 'text', column => column.notNull())
        .addColumn('edit', 'text')
        .addColumn('seconds', 'real')
        .addColumn('at', 'text', column => column.notNull())
        .addColumn('before', 'text', column => column.notNull())
        .addColumn('previous', 'text')
        .addColumn('previous_why', 'text')
        .addColumn('previous_reason', 'text')
        .addColumn('undone', 'integer', column => column.notNull())
        .execute()
      await db.schema.createIndex('acts_by_annotator').on('acts').columns(['annotator', 'n']).execute()
    },
  },
  '0002-reasons-of-items': {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable('items').addColumn('reasons', 'text').execute()
    },
  },
  // From here on a text that holds a NUL is its bytes, see `texts.ts`.
  '0003-texts-with-nul': {
    async up(db: Kysely<unknown>) {
      const texts = {
        responses: ['response', 'generator'],
        preferences: ['first', 'second'],
        edits: ['draft', 'final', 'preferred'],
        annotators: ['name', 'version'],
        items: ['response', 'preferred', 'source', 'annotator', 'window', 'reason'],
        drafts: ['annotator', 'text'],
        acts: ['annotator', 'previous_reason'],
      }
      for (const [table, columns] of Object.entries(texts))
        for (const name of columns) {
          const bytes = sql`cast(${sql.ref(name)} as blob)`
          await sql`update ${sql.table(table)} set ${sql.ref(name)} = ${bytes} where instr(${bytes}, x'00')`.execute(db)
        }
    },
  },
  // A table of keys in place of the index that `unique` makes, see `by-id.ts`. To make a table anew is the one way to be rid of it.
  '0004-keys-of-ids': {
    async up(db: Kysely<unknown>) {
      for (const name of ['prompts', 'responses', 'preferences', 'edits']) {
        const { rows } = await sql<{ sql: string }>`select sql from sqlite_master where name = ${name}`.execute(db)
        const definition = rows[0]!.sql
          .replace(`"${name}"`, '"made_anew"')
          .replace('"id" text not null unique', '"id" text not null')
        await sql.raw(definition).execute(db)
        await sql`insert into made_anew select * from ${sql.table(name)} order by n`.execute(db)
        await db.schema.dropTable(name).execute()
        await db.schema.alterTable('made_anew').renameTo(name).execute()
        await db.schema
          .createTable(`${name}_by_id`)
          .addColumn('key', 'blob', column => column.primaryKey())
          .addColumn('n', 'integer', column => column.notNull())
          .modifyEnd(sql`without rowid`)
          .execute()
        await sql`insert into ${sql.table(`${name}_by_id`)}
          select unhex(substr(id, 1, 24)), n from ${sql.table(name)} order by 1`.execute(db)
      }
    },
  },
}
