"""The rest of tools/quickstart, once the packages are installed."""

import argparse
import os
import subprocess
import sys
import time

import cluster

SAMPLE = "What is 347 + 589?"
MODEL = os.path.join(cluster.ROOT, "tools/nano/model")


def say(text):
  print(text, file=sys.stderr, flush=True)


def ask(local, question):
  """The exit code of the client that streams the answer."""
  return subprocess.run([local.shoalctl(), "--api=" + local.addresses["api"],
                         "--temperature=0", "chat", question], check=False).returncode


def how_to_reach(local):
  a = local.addresses
  ctl = os.path.relpath(local.shoalctl(), cluster.ROOT)
  return f"""
Serving until Ctrl-C. In another terminal, from {cluster.ROOT}:
  {ctl} --api={a['api']} chat "What is 8312 * 467?"
  {ctl} --control={a['control']} status
  tools/clients/ask.py --api {a['api']} "What is 91234 / 7?"
  curl http://{a['metrics']}/metrics
Logs and configurations: {local.run_dir}"""


def serve(local):
  told = set()
  try:
    while local.router.popen.poll() is None:
      for worker in local.workers:
        if worker.popen.poll() is not None and worker.name not in told:
          told.add(worker.name)
          say(f"{worker.name} ended with {worker.popen.returncode}; the group forms again once it is "
              f"back:\n  {' '.join(worker.popen.args)}")
      time.sleep(0.5)
    say(f"the router ended\n{local.router.log_end()}")
    return 1
  except KeyboardInterrupt:
    say("\nstopping")
    return 0


def main():
  parser = argparse.ArgumentParser(prog="tools/quickstart", description=(
      "Installs, builds, starts one router and four workers, and asks a question."))
  parser.add_argument("question", nargs="?", help="answer it, stop everything, exit")
  parser.add_argument("--model", default=MODEL, help="a Hugging Face folder (default: nano)")
  parser.add_argument("--api-port", type=int, default=0, help="default: a free one")
  parser.add_argument("--metrics-port", type=int, default=0, help="default: a free one")
  options = parser.parse_args()
  if options.question is not None and not options.question.strip():
    parser.error("the question is empty")
  for name, port in (("--api-port", options.api_port), ("--metrics-port", options.metrics_port)):
    if not 0 <= port <= 65535:
      parser.error(f"{name} is {port}, not from 0 to 65535")
  cluster.stop_on_sigterm()
  started = time.monotonic()
  say("== build")
  bin_dir = cluster.build()
  say("== start: one router, four workers, experts sharded over them (EP4)")
  with cluster.LocalCluster(bin_dir, options.model, ranks=4, api_port=options.api_port,
                            metrics_port=options.metrics_port) as local:
    question = SAMPLE if options.question is None else options.question
    say(f"== ready after {time.monotonic() - started:.0f} s; asking: {question}\n")
    code = ask(local, question)
    if code != 0:
      raise cluster.ClusterError(f"no answer (exit code {code}); logs are in {local.run_dir}")
    if options.question is not None:
      return 0
    say(how_to_reach(local))
    return serve(local)


if __name__ == "__main__":
  try:
    sys.exit(main())
  except cluster.ClusterError as error:
    say(f"quickstart: {error}")
    sys.exit(1)
  except KeyboardInterrupt:
    say("quickstart: interrupted")
    sys.exit(130)
