#include "support/raw_peer.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <thread>

namespace causeway::test {
namespace {

template<typename T>
T must(Result<T> result) {
    if (!result.has_value())
        throw std::runtime_error(result.error().text);
    if constexpr (!std::is_void_v<T>)
        return *std::move(result);
}

}  // namespace

std::uint32_t RawPair::take_all() {
    std::uint32_t taken = 0;
    abi::Completion ignored;
    while (send_completions.peek(ignored)) {
        send_completions.advance();
        ++taken;
    }
    while (receive_completions.peek(ignored))
        receive_completions.advance();
    view.layout().send_completions_read.store(send_completions.consumed(),
                                              std::memory_order_release);
    view.layout().receive_completions_read.store(receive_completions.consumed(),
                                                 std::memory_order_release);
    return taken;
}

std::optional<abi::Completion> RawPair::take_send() {
    abi::Completion completion;
    if (!send_completions.peek(completion))
        return std::nullopt;
    send_completions.advance();
    view.layout().send_completions_read.store(send_completions.consumed(),
                                              std::memory_order_release);
    return completion;
}

RawPeer::RawPeer(const std::string& socket, const std::string& name)
    : channel_(must(control::Channel::connect(socket))) {
    auto request = control::make<abi::AttachRequest>(abi::Request::attach);
    request.major_least = abi::kMajor;
    request.major_most = abi::kMajor;
    must(store_text(request.name, name));
    (void)must(channel_.call<abi::AttachReply>(request));
    completions_ = open_bell(abi::DoorbellKind::completions);
    events_ = open_bell(abi::DoorbellKind::events);
    mover_ = open_bell(abi::DoorbellKind::mover);
}

RawBell RawPeer::open_bell(abi::DoorbellKind kind, std::uint32_t index) {
    RawBell bell;
    auto request = control::make<abi::OpenDoorbellRequest>(abi::Request::open_doorbell);
    request.kind = static_cast<std::uint32_t>(kind);
    request.index = index;
    bell.id = must(channel_.call<abi::OpenDoorbellReply>(request, -1, &bell.file)).doorbell;
    bell.page = must(platform::Mapping::map(bell.file.get(), platform::kPage));
    auto fetch = control::make<abi::DoorbellRequest>(abi::Request::wakeup_socket);
    fetch.doorbell = bell.id;
    must(channel_.call_empty(fetch, -1, &bell.socket));
    return bell;
}

RawRegion RawPeer::allocate(std::uint64_t size, std::uint32_t rights) {
    RawRegion region;
    region.file = must(platform::create_memfd("causeway-test-region", size, platform::kSizeSeals));
    region.memory = must(platform::Mapping::map(region.file.get(), size));
    must(region.memory.populate_write(0, size));
    auto request = control::make<abi::RegisterRequest>(abi::Request::register_region);
    request.size = size;
    request.address = region.address();
    request.rights = rights;
    request.parts = 1;
    const auto reply = must(channel_.call<abi::RegisterReply>(request, region.file.get()));
    region.handle = reply.handle;
    region.generation = reply.generation;
    return region;
}

void RawPeer::deregister(const RawRegion& region) {
    auto request = control::make<abi::RegionRequest>(abi::Request::deregister_region);
    request.handle = region.handle;
    request.generation = region.generation;
    (void)must(channel_.call<abi::DeregisterReply>(request));
}

RawPair RawPeer::create_pair(const abi::QueuePairShape& shape, abi::Patience patience) {
    RawPair pair;
    auto request = control::make<abi::CreateQueuePairRequest>(abi::Request::create_queue_pair);
    request.shape = shape;
    request.completions = completions_.id;
    request.patience = static_cast<std::uint32_t>(patience);
    pair.reply = must(channel_.call<abi::CreateQueuePairReply>(request, -1, &pair.file));
    pair.memory = must(platform::Mapping::map(pair.file.get(), pair.reply.memory_size));
    pair.view = shm::QueuePairView(pair.memory.data(), shape);
    pair.sends = pair.view.send_producer();
    pair.receives = pair.view.receive_producer();
    pair.send_completions = pair.view.send_completions();
    pair.receive_completions = pair.view.receive_completions();
    return pair;
}

bool RawPeer::connect(RawPair& pair, const std::string& target, abi::Executor executor) {
    auto request = control::make<abi::ConnectRequest>(abi::Request::connect);
    request.queue_pair = pair.reply.queue_pair;
    request.executor = static_cast<std::uint32_t>(executor);
    must(store_text(request.target, target));
    (void)must(channel_.call<abi::ConnectReply>(request));
    for (int i = 0; i < 30'000; ++i) {
        if (pair.state() == abi::QueuePairState::connected)
            return true;
        if (pair.ended())
            return false;
        ::poll(nullptr, 0, i < 100 ? 0 : 1);
        std::this_thread::yield();
    }
    throw std::runtime_error("nobody accepts at " + target);
}

std::uint32_t RawPeer::listen(const std::string& service) {
    auto request = control::make<abi::ListenRequest>(abi::Request::listen);
    must(store_text(request.service, service));
    request.backlog = 16;
    return must(channel_.call<abi::ListenReply>(request)).listener;
}

bool RawPeer::accept(std::uint32_t listener, RawPair& pair, abi::Executor executor) {
    auto request = control::make<abi::AcceptRequest>(abi::Request::accept);
    request.listener = listener;
    request.queue_pair = pair.reply.queue_pair;
    request.executor = static_cast<std::uint32_t>(executor);
    const auto reply = channel_.call<abi::AcceptReply>(request);
    if (!reply.has_value() && reply.error().code != ErrorCode::again)
        throw std::runtime_error(reply.error().text);
    return reply.has_value();
}

void RawPeer::disconnect(const RawPair& pair) {
    auto request = control::make<abi::DisconnectRequest>(abi::Request::disconnect);
    request.queue_pair = pair.reply.queue_pair;
    must(channel_.call_empty(request));
}

std::shared_ptr<RawBell> RawPeer::peer_bell(abi::DoorbellKind kind, std::uint32_t number) {
    std::shared_ptr<RawBell>& bell = peer_bells_[number];
    if (!bell)
        bell = std::make_shared<RawBell>(open_bell(kind, number));
    return bell;
}

void RawPeer::close_peer_bell(std::uint32_t number) {
    const auto found = peer_bells_.find(number);
    if (found == peer_bells_.end())
        return;
    auto request = control::make<abi::DoorbellRequest>(abi::Request::close_doorbell);
    request.doorbell = found->second->id;
    peer_bells_.erase(found);
    must(channel_.call_empty(request));
}

void RawPeer::ring(const RawPair& pair) {
    const shm::DoorbellWaker waker(mover_.page.at<abi::DoorbellLayout>());
    (void)waker.ring(pair.reply.doorbell_bit);
    const char byte = 1;
    (void)::send(mover_.socket.get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool RawPeer::evicted() {
    pollfd state{channel_.fd(), 0, 0};
    return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

abi::Descriptor make_descriptor(abi::Opcode opcode, std::uint8_t flags) {
    abi::Descriptor descriptor{};
    descriptor.control.opcode = static_cast<std::uint8_t>(opcode);
    descriptor.control.flags = flags;
    return descriptor;
}

}  // namespace causeway::test
