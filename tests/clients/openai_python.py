"""The official OpenAI client for Python, unchanged, against the gateway: whole, streamed, tools, errors, cancel."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from gateway_harness import Gateway  # noqa: E402

import openai  # noqa: E402

TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Weather in a city",
                                           "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
passed = 0


def check(name, condition):
    global passed
    if not condition:
        raise SystemExit(f"FAILED: {name}")
    passed += 1
    print(f"ok {name}")


with Gateway() as gateway:
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key="unused", max_retries=0)
    ask = lambda text, **more: client.chat.completions.create(messages=[{"role": "user", "content": text}], **{"model": "auto", **more})

    check("models.list shows routes and models", {"auto", "weak"} <= {m.id for m in client.models.list()})
    check("models.retrieve", client.models.retrieve("auto").id == "auto")
    answer = ask("hello there")
    check("whole", "hello there" in answer.choices[0].message.content and answer.usage.total_tokens > 0)
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=[{"role": "user", "content": "raw"}])
    check("headers", raw.headers["x-brevet-decision"].startswith("dec_") and raw.parse().choices[0].message.content)
    text, usage = "", None
    for chunk in ask("stream to me", stream=True, stream_options={"include_usage": True}):
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        usage = chunk.usage or usage
    check("streamed with usage", "stream to me" in text and usage.total_tokens > 0)
    call = ask("do:tool", tools=TOOLS).choices[0].message.tool_calls[0]
    check("tools, whole", (call.function.name, call.function.arguments) == ("weather", '{"city":"Paris"}'))
    arguments = "".join((c.choices[0].delta.tool_calls[0].function.arguments or "")
                        for c in ask("do:tool", tools=TOOLS, stream=True) if c.choices and c.choices[0].delta.tool_calls)
    check("tools, streamed", arguments == '{"city":"Paris"}')
    for name, kind, call in (("unknown model", openai.NotFoundError, lambda: ask("x", model="nope")),
                             ("bad request", openai.BadRequestError, lambda: ask("x", extra_body={"stream": "maybe"})),
                             ("provider's own error", openai.BadRequestError, lambda: ask("do:e400", model="strong")),
                             ("provider down", openai.InternalServerError, lambda: ask("x", model="down"))):
        try:
            call()
            check(name, False)
        except kind as error:
            check(f"{name}: {error.code}", bool(error.code) and len(str(error)) > 20)
    try:
        list(ask("do:cut a text of more than one piece", model="best", stream=True))
        check("cut stream", False)
    except openai.APIError as error:
        check(f"cut stream raises: {error.code}", error.code == "upstream_stream_cut")
    stream = ask("do:slow cancel-me " + "word " * 100, model="best", stream=True)
    next(iter(stream))
    stream.close()
    gateway.wait_until(lambda: any("cancel-me" in e["body"] and e["hung_up"] for e in gateway.upstream_log()))
    check("cancel reaches the upstream", True)
    import asyncio

    async def many():
        client = openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key="unused", max_retries=0)
        return await asyncio.gather(*(client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": f"number {i}"}]) for i in range(64)))
    answers = asyncio.run(many())
    check("64 at once, none mixed up", all(a.choices[0].message.content.endswith(f"number {i}") for i, a in enumerate(answers)))
print(f"{passed} passed, 0 failed (openai {openai.__version__} for Python)")
