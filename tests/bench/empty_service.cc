// The least that a gRPC service can do: answers Classifier.Predict at once, with SIZE bytes.
//
//   bench_empty_service SIZE          prints port=PORT, serves until stdin ends
//
// The callback API and the messages are those of Fovea's own service: what that does beyond this is
// its own.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "fovea/v1/classifier.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace fovea::bench {
namespace {

class EmptyService : public v1::Classifier::CallbackService {
 public:
  // Two bytes are the field's tag and length, up to 127 of them.
  explicit EmptyService(size_t size) : text_(size - 2, 'x') {}

  grpc::ServerUnaryReactor* Predict(grpc::CallbackServerContext* context, const v1::PredictRequest*,
                                    v1::PredictResponse* response) override {
    response->set_model(text_);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  const std::string text_;
};

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) {
  const int size = argc == 2 ? std::atoi(argv[1]) : 0;
  if (size < 3 || size > 129) {
    std::fprintf(stderr, "found no SIZE of 3 to 129 bytes\n");
    return 1;
  }
  fovea::bench::EmptyService service(static_cast<size_t>(size));
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::fprintf(stderr, "cannot listen on 127.0.0.1\n");
    return 1;
  }
  std::printf("port=%d\n", port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server->Shutdown();
}
