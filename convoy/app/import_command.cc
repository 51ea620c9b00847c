#include "convoy/app/commands.h"
#include "convoy/run/model_exchange.h"

namespace convoy::app {
namespace {

int run_import(const CommandLine& line, Session& session) {
  print_exchange(run::import_model_file(line.arguments[0], line.arguments[1]), line.has("json"), session);
  return 0;
}

}  // namespace

Command import_command() {
  static constexpr OptionSpec kOptions[] = {{"json", "", "print the result as one JSON object"}};
  return {
      .name = "import",
      .summary = "make a checkpoint of an ONNX file",
      .arguments = "FILE.onnx DIRECTORY",
      .example =
          "  convoy import resnet.onnx runs/resnet && convoy predict runs/resnet photo.jpg\n\n"
          "To train it: convoy train --model resnet.onnx; eval, predict and inspect take the file, too.\n",
      .options = kOptions,
      .least_arguments = 2,
      .most_arguments = 2,
      .run = run_import};
}

}  // namespace convoy::app
