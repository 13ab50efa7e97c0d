// The C ABI: message queues.
#include "ipc/c_api.hpp"
#include "ipc/message_receiver.hpp"
#include "ipc/message_sender.hpp"

using namespace causeway;              // NOLINT(google-build-using-namespace)
using namespace causeway::ipc::inner;  // NOLINT(google-build-using-namespace)
using causeway::client::capi::code;
using causeway::client::capi::guarded;
using causeway::client::capi::make;

struct cw_mq_receiver {
    std::unique_ptr<MessageReceiver> shared;
};
struct cw_mq_sender {
    std::unique_ptr<MessageSender> shared;
};

int cw_mq_receiver_open(cw_partition* partition, const char* service, const cw_ipc_options* options,
                        cw_mq_receiver** out) {
    if (const int error = check_making(partition, service, out); error != CW_OK)
        return error;
    return make(out, [&]() -> Result<std::unique_ptr<MessageReceiver>> {
        CW_TRY_ASSIGN(const Terms terms, terms_of(options, Terms{}));
        return MessageReceiver::open(partition->shared, service, terms);
    });
}

void cw_mq_receiver_close(cw_mq_receiver* receiver) { delete receiver; }

int cw_mq_receive(cw_mq_receiver* receiver, cw_message* out, uint64_t timeout_ns) {
    if (const int error = check_use(receiver, out); error != CW_OK)
        return error;
    return code(receiver->shared->receive(*out, timeout_ns));
}

int cw_mq_release(cw_mq_receiver* receiver, cw_message* message) {
    if (const int error = check_use(receiver, message); error != CW_OK)
        return error;
    return code(receiver->shared->release(*message));
}

int cw_mq_receiver_fd(cw_mq_receiver* receiver) { return file_of(receiver); }

uint32_t cw_mq_receiver_senders(const cw_mq_receiver* receiver) {
    return check_use(receiver) == CW_OK ? receiver->shared->senders() : 0;
}

int cw_mq_sender_open(cw_partition* partition, const char* target, const cw_ipc_options* options,
                      uint64_t timeout_ns, cw_mq_sender** out) {
    if (const int error = check_making(partition, target, out); error != CW_OK)
        return error;
    return make(out, [&]() -> Result<std::unique_ptr<MessageSender>> {
        CW_TRY_ASSIGN(const Terms terms, terms_of(options, kConnecting));
        CW_TRY_ASSIGN(auto sender, MessageSender::open(partition->shared, terms));
        CW_TRY(sender->add(target, timeout_ns));
        return sender;
    });
}

void cw_mq_sender_close(cw_mq_sender* sender) { delete sender; }

int cw_mq_sender_add(cw_mq_sender* sender, const char* target, uint64_t timeout_ns) {
    if (const int error = check_use(sender, target); error != CW_OK)
        return error;
    return guarded([&] { return sender->shared->add(target, timeout_ns); });
}

int cw_mq_send(cw_mq_sender* sender, const void* data, size_t length, uint64_t timeout_ns) {
    if (const int error = check_use(sender); error != CW_OK)
        return error;
    return code(sender->shared->send(data, length, timeout_ns));
}

int cw_mq_sender_fd(cw_mq_sender* sender) { return file_of(sender); }

uint32_t cw_mq_sender_receivers(const cw_mq_sender* sender) {
    return check_use(sender) == CW_OK ? sender->shared->receivers() : 0;
}

size_t cw_mq_sender_max_message(const cw_mq_sender* sender) {
    return check_use(sender) == CW_OK ? sender->shared->largest() : 0;
}
