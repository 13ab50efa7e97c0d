// The C ABI: requests and answers.
#include "ipc/c_api.hpp"
#include "ipc/request_client.hpp"
#include "ipc/request_server.hpp"

using namespace causeway;              // NOLINT(google-build-using-namespace)
using namespace causeway::ipc::inner;  // NOLINT(google-build-using-namespace)
using causeway::client::capi::code;
using causeway::client::capi::make;

struct cw_rpc_server {
    std::unique_ptr<RequestServer> shared;
};
struct cw_rpc_client {
    std::unique_ptr<RequestClient> shared;
};

int cw_rpc_server_open(cw_partition* partition, const char* service, const cw_ipc_options* options,
                       cw_rpc_server** out) {
    if (const int error = check_making(partition, service, out); error != CW_OK)
        return error;
    return make(out, [&]() -> Result<std::unique_ptr<RequestServer>> {
        CW_TRY_ASSIGN(const Terms terms, terms_of(options, Terms{}));
        return RequestServer::open(partition->shared, service, terms);
    });
}

void cw_rpc_server_close(cw_rpc_server* server) { delete server; }

int cw_rpc_next(cw_rpc_server* server, cw_request* out, uint64_t timeout_ns) {
    if (const int error = check_use(server, out); error != CW_OK)
        return error;
    return code(server->shared->next(*out, timeout_ns));
}

int cw_rpc_reply(cw_rpc_server* server, cw_request* request, const void* data, size_t length) {
    if (const int error = check_use(server, request); error != CW_OK)
        return error;
    return code(server->shared->reply(*request, data, length));
}

int cw_rpc_drop(cw_rpc_server* server, cw_request* request) {
    if (const int error = check_use(server, request); error != CW_OK)
        return error;
    return code(server->shared->drop(*request));
}

int cw_rpc_server_fd(cw_rpc_server* server) { return file_of(server); }

uint32_t cw_rpc_server_clients(const cw_rpc_server* server) {
    return check_use(server) == CW_OK ? server->shared->clients() : 0;
}

int cw_rpc_client_open(cw_partition* partition, const char* target, const cw_ipc_options* options,
                       uint64_t timeout_ns, cw_rpc_client** out) {
    if (const int error = check_making(partition, target, out); error != CW_OK)
        return error;
    return make(out, [&]() -> Result<std::unique_ptr<RequestClient>> {
        CW_TRY_ASSIGN(const Terms terms, terms_of(options, kConnecting));
        return RequestClient::open(partition->shared, target, terms, timeout_ns);
    });
}

void cw_rpc_client_close(cw_rpc_client* client) { delete client; }

int cw_rpc_call(cw_rpc_client* client, const void* data, size_t length, uint64_t timeout_ns,
                cw_answer* out) {
    if (const int error = check_use(client, out); error != CW_OK)
        return error;
    return code(client->shared->call(data, length, timeout_ns, *out));
}

int cw_rpc_start(cw_rpc_client* client, const void* data, size_t length, uint64_t deadline_ns,
                 uint64_t user) {
    if (const int error = check_use(client); error != CW_OK)
        return error;
    return code(client->shared->start(data, length, deadline_ns, user));
}

int cw_rpc_finish(cw_rpc_client* client, cw_answer* out, uint64_t timeout_ns) {
    if (const int error = check_use(client, out); error != CW_OK)
        return error;
    return code(client->shared->finish(*out, timeout_ns));
}

int cw_rpc_release(cw_rpc_client* client, cw_answer* answer) {
    if (const int error = check_use(client, answer); error != CW_OK)
        return error;
    return code(client->shared->release(*answer));
}

int cw_rpc_client_fd(cw_rpc_client* client) { return file_of(client); }
