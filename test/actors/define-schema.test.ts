import * as Effect from "effect/Effect";
import * as EffectSchema from "effect/Schema";
import * as SchemaGetter from "effect/SchemaGetter";
import * as v from "valibot";
import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { type InferInput, type InferOutput, isSchema, type Schema, validate } from "../../actors/schema.ts";
import { InvalidDefinitionError } from "../../runtime/core/errors.ts";

interface Sent {
  items: { sku: string; price: number }[];
  at: string;
}

const zodSchema = z.object({
  items: z.array(z.object({ sku: z.string(), price: z.number() })),
  at: z.string().transform((text) => new Date(text)),
});

const valibotSchema = v.object({
  items: v.array(v.object({ sku: v.string(), price: v.number() })),
  at: v.pipe(
    v.string(),
    v.transform((text) => new Date(text)),
  ),
});

const effectSchema = EffectSchema.Struct({
  items: EffectSchema.mutable(
    EffectSchema.Array(EffectSchema.Struct({ sku: EffectSchema.String, price: EffectSchema.Number })),
  ),
  at: EffectSchema.DateFromString,
});

const schemas: ReadonlyArray<[string, Schema]> = [
  ["Zod", zodSchema],
  ["Valibot", valibotSchema],
  ["Effect Schema", effectSchema],
  ["Effect Schema as Standard Schema", EffectSchema.toStandardSchemaV1(effectSchema)],
];

describe.each(schemas)("%s", (_, schema) => {
  it("gives the output for a value that it takes", () => {
    expect(validate(schema, { items: [{ sku: "a", price: 1 }], at: "2026-01-02" })).toEqual({
      value: { items: [{ sku: "a", price: 1 }], at: new Date("2026-01-02") },
    });
  });

  it("gives every problem with its path", () => {
    const checked = validate(schema, {
      items: [
        { sku: "a", price: 1 },
        { sku: 2, price: "3" },
      ],
      at: "2026-01-02",
    });
    expect((checked as { problems: string[] }).problems.map((problem) => problem.split(":")[0])).toEqual([
      "items[1].sku",
      "items[1].price",
    ]);
    expect((checked as { problems: string[] }).problems[0]).toMatch(/string/);
  });

  it("gives a problem without a path for the value as a whole", () => {
    const checked = validate(schema, 3);
    expect(checked).toEqual({ problems: [expect.stringMatching(/^(Invalid (input|type): )?expected object/i)] });
  });

  it("refuses whatever JSON may bring, and lets nothing into a prototype", () => {
    for (const json of [
      "null",
      "[]",
      '"x"',
      '{"__proto__":{"items":[],"at":"2026-01-02"}}',
      '{"items":{"length":1e9},"at":""}',
    ]) {
      expect(validate(schema, JSON.parse(json))).toHaveProperty("problems");
    }
    expect(({} as { items?: unknown }).items).toBeUndefined();
  });
});

describe("any schema", () => {
  it("is known by what it can do", () => {
    for (const [, schema] of schemas) expect(isSchema(schema)).toBe(true);
    class Money extends EffectSchema.Class<Money>("Money")({ cents: EffectSchema.Int }) {}
    expect(isSchema(Money)).toBe(true);
    expect(validate(Money, { cents: 3 })).toEqual({ value: new Money({ cents: 3 }) });
    for (const other of [
      undefined,
      null,
      true,
      {},
      () => true,
      { "~standard": { version: 2, validate: () => ({}) } },
    ]) {
      expect(isSchema(other)).toBe(false);
    }
  });

  it.each<[string, Schema]>([
    ["Zod", z.string().refine(async () => true)],
    [
      "Valibot",
      v.pipeAsync(
        v.string(),
        v.checkAsync(async () => true),
      ),
    ],
    [
      "Effect Schema",
      EffectSchema.String.pipe(
        EffectSchema.decodeTo(EffectSchema.String, {
          decode: SchemaGetter.transformEffect((text: string) => Effect.promise(async () => text)),
          encode: SchemaGetter.passthrough(),
        }),
      ),
    ],
    ["one whose promise rejects", standard(() => Promise.reject(new Error("no database")))],
  ])("that answers with a promise is refused by name: %s", (_, schema) => {
    expect(() => validate(schema, "x", 'event "ADD" of actor type "cart"')).toThrow(InvalidDefinitionError);
    expect(() => validate(schema, "x", 'event "ADD" of actor type "cart"')).toThrow(
      /^Cannot check event "ADD" of actor type "cart": its schema answers with a promise/,
    );
  });

  it.each<[string, Schema]>([
    ["Zod", z.any().refine((value) => value.a.b > 1)],
    [
      "Valibot",
      v.pipe(
        v.any(),
        v.check((value) => value.a.b > 1),
      ),
    ],
    ["Effect Schema", EffectSchema.Any.check(EffectSchema.makeFilter((value) => value.a.b > 1))],
  ])("that throws refuses the value: %s", (_, schema) => {
    expect(validate(schema, {})).toEqual({
      problems: [expect.stringContaining("the schema failed on it with TypeError")],
    });
  });

  it("tells 20 problems at most, and cuts long ones", () => {
    const issues = Array.from({ length: 25 }, (_, i) => ({ message: "x".repeat(10_000), path: [{ key: "a b" }, i] }));
    const { problems } = validate(
      standard(() => ({ issues })),
      1,
    ) as { problems: string[] };
    expect(problems).toHaveLength(21);
    expect(problems[20]).toBe("5 more");
    expect(problems[3]).toMatch(/^\["a b"\]\[3\]: x/);
    expect(problems[3]?.length).toBeLessThan(600);
  });

  it("refuses without a reason when it has none", () => {
    expect(
      validate(
        standard(() => ({ issues: [] })),
        1,
      ),
    ).toEqual({ problems: ["the schema refuses it and gives no reason"] });
  });

  it("is typed by what it takes and gives", () => {
    expectTypeOf<InferInput<typeof zodSchema>>().toEqualTypeOf<Sent>();
    expectTypeOf<InferInput<typeof valibotSchema>>().toEqualTypeOf<Sent>();
    expectTypeOf<InferInput<typeof effectSchema>["at"]>().toEqualTypeOf<string>();
    expectTypeOf<InferOutput<typeof zodSchema>["at"]>().toEqualTypeOf<Date>();
    expectTypeOf<InferOutput<typeof valibotSchema>["at"]>().toEqualTypeOf<Date>();
    expectTypeOf<InferOutput<typeof effectSchema>["at"]>().toEqualTypeOf<Date>();
    expectTypeOf(validate(zodSchema, 1)).toExtend<{ value: { at: Date } } | { problems: readonly string[] }>();
    class Money extends EffectSchema.Class<Money>("Money")({ cents: EffectSchema.Int }) {}
    expectTypeOf<InferOutput<typeof Money>>().toEqualTypeOf<Money>();
    expectTypeOf<EffectSchema.Codec<string, string, "service">>().not.toExtend<Schema>();
  });
});

function standard(answer: (value: unknown) => unknown): Schema {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: answer as Schema extends never ? never : () => { value: unknown },
    },
  };
}
