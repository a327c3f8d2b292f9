#include "client/command.h"

#include <algorithm>

#include "CLI/CLI.hpp"
#include "client/commands.h"

namespace fovea::cli {
namespace {

constexpr char kDefaultServer[] = "127.0.0.1:8001";

constexpr char kFooter[] =
    "Exit codes:\n"
    "  0    done\n"
    "  1    the command line or a local file is wrong\n"
    "  2    the server said no: not found, invalid, not possible now\n"
    "  3    the server is not there or too busy: try again later\n"
    "  4    the job failed or was cancelled\n"
    "  130  interrupted\n";

int ReportError(const absl::Status& status, Session* session) {
  if (session->interrupted()) {
    session->io().err << "interrupted\n";
    return kExitInterrupted;
  }
  session->io().err << "fovea: " << DescribeError(status) << "\n";
  return ExitCodeOf(status);
}

}  // namespace

int RunFovea(const std::vector<std::string>& arguments, Io* io) {
  CLI::App app("Trains image classifiers and asks them, on a Fovea server.", "fovea");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  std::string server = kDefaultServer;
  bool json = false;
  app.add_option("--server", server, "The server, HOST:PORT")
      ->envname("FOVEA_SERVER")
      ->capture_default_str();
  app.add_flag("--json", json, "One JSON object a line (protobuf JSON) instead of text");

  Action action;
  AddDatasets(&app, &action);
  AddTrain(&app, &action);
  AddJobs(&app, &action);
  AddEvaluate(&app, &action);
  AddPredict(&app, &action);
  AddModels(&app, &action);

  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants it
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, io->out, io->err) == 0 ? kExitOk : kExitUsage;
  }
  Session session(io, server, json);
  const absl::StatusOr<int> code = action(session);
  return code.ok() ? *code : ReportError(code.status(), &session);
}

}  // namespace fovea::cli
