/** Rows of any number, page by page: a cursor that stays open would hold the one connection, and the log with it. */

const PAGE = 500

interface Query<Row> {
  limit(n: number): { execute(): Promise<Row[]> }
}

/** @param query rows after row `n`, in the order of `n` */
export async function* pages<Row extends { n: number }>(query: (after: number) => Query<Row>): AsyncGenerator<Row> {
  for (let after = 0; ; ) {
    const rows = await query(after).limit(PAGE).execute()
    yield* rows
    if (rows.length < PAGE) return
    after = rows.at(-1)!.n
  }
}
