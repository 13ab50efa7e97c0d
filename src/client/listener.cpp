#include "client/listener.hpp"

#include <utility>

#include "base/names.hpp"
#include "client/deadline.hpp"
#include "client/quietly.hpp"

namespace causeway::client {
namespace {

// Between two requests while no event says that a connection is wanted.
constexpr std::uint64_t kAskAgainNs = 1'000'000'000;

}  // namespace

Result<Listener> Listener::create(std::shared_ptr<Partition> partition, const std::string& service,
                                  std::uint32_t backlog, abi::ControllerType type) {
    CW_TRY(check_name("service", service));
    auto request = control::make<abi::ListenRequest>(abi::Request::listen);
    CW_TRY(store_text(request.service, service));
    request.backlog = backlog;
    request.controller = static_cast<std::uint32_t>(type);
    CW_TRY_ASSIGN(const auto reply, partition->call<abi::ListenReply>(request));
    return Listener(std::move(partition), service, reply.listener);
}

Listener::~Listener() {
    if (partition_ == nullptr || !here())
        return;
    quietly([this] {
        auto request = control::make<abi::CloseListenerRequest>(abi::Request::close_listener);
        request.listener = id_;
        (void)partition_->adapter().give_back(Kind::listener, id_, [&](control::Channel& channel) {
            return channel.call_empty(request);
        });
    });
}

Result<void> Listener::accept(QueuePair& pair, std::uint64_t timeout_ns) {
    const Deadline deadline(timeout_ns);
    for (;;) {
        // Before the request: a connection that is wanted after its answer makes the ticket old.
        std::uint32_t ticket = partition_->event_ticket();
        auto accepted = pair.accept_from(id_);
        if (accepted.has_value() || accepted.error().code != ErrorCode::again || timeout_ns == 0) {
            return accepted;
        }
        const Deadline ask_again(kAskAgainNs);
        auto waited = EventWaiter::Waited::napped;
        while (waited == EventWaiter::Waited::napped && ask_again.left_ns() != 0) {
            const std::uint64_t left = deadline.left_ns();
            if (left == 0) {
                return fail_format(
                    ErrorCode::timed_out, "nobody connected to service %s within %llu ms",
                    service_.c_str(), static_cast<unsigned long long>(timeout_ns / 1'000'000));
            }
            waited = partition_->await_event(ticket, left);
            // A nap without news makes tickets old, too. What comes before the next one is taken
            // shows by its byte, or at the latest when the adapter is asked again.
            if (waited == EventWaiter::Waited::napped)
                ticket = partition_->event_ticket();
        }
    }
}

}  // namespace causeway::client
