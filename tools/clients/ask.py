#!/usr/bin/python3
"""Asks a Shoal cluster one question and streams the answer.

  tools/clients/ask.py --api 127.0.0.1:50051 "What is 347 + 589?"
"""

import argparse
import sys

import grpc

from shoal_stubs import inference_pb2 as pb
from shoal_stubs import inference_pb2_grpc


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("question")
  parser.add_argument("--api", default="127.0.0.1:50051")
  options = parser.parse_args()
  stub = inference_pb2_grpc.InferenceStub(grpc.insecure_channel(options.api))
  request = pb.ChatRequest(messages=[
      pb.Message(role=pb.Message.USER, content=options.question)])
  request.sampling.temperature = 0
  in_reasoning = False
  try:
    for event in stub.Chat(request):
      kind = event.WhichOneof("event")
      if kind == "reasoning_delta":
        in_reasoning = True
        print(event.reasoning_delta.text, end="", flush=True)
      elif kind == "text_delta":
        if in_reasoning:
          print("\n")
          in_reasoning = False
        print(event.text_delta.text, end="", flush=True)
      elif kind == "finish":
        print(f"\n[{pb.FinishReason.Name(event.finish.reason)}, "
              f"{event.finish.usage.output_tokens} tokens]")
  except grpc.RpcError as error:
    sys.exit(f"{error.code().name}: {error.details()}")
  except KeyboardInterrupt:
    sys.exit(130)


if __name__ == "__main__":
  main()
