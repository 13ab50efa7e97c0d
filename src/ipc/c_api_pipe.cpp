// The C ABI: pipes.
#include "ipc/c_api.hpp"
#include "ipc/pipe.hpp"

using namespace causeway;              // NOLINT(google-build-using-namespace)
using namespace causeway::ipc::inner;  // NOLINT(google-build-using-namespace)
using causeway::client::capi::code;
using causeway::client::capi::make;

struct cw_pipe_listener {
    std::unique_ptr<PipeListener> shared;
};
struct cw_pipe {
    std::unique_ptr<Pipe> shared;
};

namespace {

constexpr Terms kPipeTerms{.largest = kDefaultPiece, .depth = kDefaultPieces};
constexpr Terms kConnectingPipe{.largest = 0, .depth = kDefaultPieces};

}  // namespace

int cw_pipe_listen(cw_partition* partition, const char* service, const cw_ipc_options* options,
                   cw_pipe_listener** out) {
    if (const int error = check_making(partition, service, out); error != CW_OK)
        return error;
    return make(out, [&]() -> Result<std::unique_ptr<PipeListener>> {
        CW_TRY_ASSIGN(const Terms terms, terms_of(options, kPipeTerms));
        return PipeListener::open(partition->shared, service, terms);
    });
}

void cw_pipe_listener_close(cw_pipe_listener* listener) { delete listener; }

int cw_pipe_listener_fd(cw_pipe_listener* listener) { return file_of(listener); }

int cw_pipe_accept(cw_pipe_listener* listener, uint64_t timeout_ns, cw_pipe** out) {
    if (const int error = check_use(listener, out); error != CW_OK)
        return error;
    return make(out, [&] { return listener->shared->accept(timeout_ns); });
}

int cw_pipe_connect(cw_partition* partition, const char* target, const cw_ipc_options* options,
                    uint64_t timeout_ns, cw_pipe** out) {
    if (const int error = check_making(partition, target, out); error != CW_OK)
        return error;
    return make(out, [&]() -> Result<std::unique_ptr<Pipe>> {
        CW_TRY_ASSIGN(const Terms terms, terms_of(options, kConnectingPipe));
        CW_TRY_ASSIGN(auto pipe, Pipe::create(partition->shared, terms));
        CW_TRY(pipe->connect(target, timeout_ns));
        return pipe;
    });
}

void cw_pipe_close(cw_pipe* pipe) { delete pipe; }

int cw_pipe_write(cw_pipe* pipe, const void* data, size_t length, uint64_t timeout_ns,
                  size_t* written) {
    if (const int error = check_use(pipe, written); error != CW_OK)
        return error;
    return code(pipe->shared->write(data, length, timeout_ns, *written));
}

int cw_pipe_read(cw_pipe* pipe, void* data, size_t length, uint64_t timeout_ns, size_t* got) {
    if (const int error = check_use(pipe, got); error != CW_OK)
        return error;
    return code(pipe->shared->read(data, length, timeout_ns, *got));
}

int cw_pipe_peek(cw_pipe* pipe, const void** data, size_t* length, uint64_t timeout_ns) {
    if (const int error = check_use(pipe, length); error != CW_OK)
        return error;
    if (data == nullptr)
        return client::capi::missing(kNoPlace);
    return code(pipe->shared->peek(*data, *length, timeout_ns));
}

int cw_pipe_consume(cw_pipe* pipe, size_t length) {
    if (const int error = check_use(pipe); error != CW_OK)
        return error;
    return code(pipe->shared->consume(length));
}

int cw_pipe_shutdown(cw_pipe* pipe) {
    if (const int error = check_use(pipe); error != CW_OK)
        return error;
    return code(pipe->shared->shutdown());
}

int cw_pipe_fd(cw_pipe* pipe) { return file_of(pipe); }

const char* cw_pipe_peer(const cw_pipe* pipe) {
    return check_use(pipe) == CW_OK ? pipe->shared->peer() : "";
}
