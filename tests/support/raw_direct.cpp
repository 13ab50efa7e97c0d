#include "support/raw_direct.hpp"

#include <sys/socket.h>

#include <cstring>

namespace causeway::test {

RawDirect::RawDirect(RawPeer& owner, const RawPair& pair)
    : peer_(&owner), queue_pair_(pair.reply.queue_pair) {
    const auto open = [&](abi::DirectSide side, platform::UniqueFd& file) {
        auto request = control::make<abi::OpenDirectRequest>(abi::Request::open_direct);
        request.queue_pair = queue_pair_;
        request.side = static_cast<std::uint32_t>(side);
        auto reply = peer_->channel().call<abi::OpenDirectReply>(request, -1, &file);
        if (!reply.has_value())
            throw std::runtime_error(reply.error().text);
        return *reply;
    };
    const auto own_terms = open(abi::DirectSide::own, own_file);
    terms = open(abi::DirectSide::peer, peer_file);
    own_memory = platform::Mapping::map(own_file.get(), own_terms.memory_size).value();
    peer_memory = platform::Mapping::map(peer_file.get(), terms.memory_size).value();
    own = shm::QueuePairView(
        own_memory.data(), {0, own_terms.receive_entries, 0, own_terms.receive_completion_entries});
    peer = shm::QueuePairView(peer_memory.data(),
                              {0, terms.receive_entries, 0, terms.receive_completion_entries});
    receives = own.receive_producer();
    receive_completions = own.receive_completions();
    peer_receives = peer.receive_consumer();
    completions = peer.receive_completer();
    bell_in = peer_->peer_bell(abi::DoorbellKind::bell_in, terms.bell_in);
    bell_out = peer_->peer_bell(abi::DoorbellKind::bell_out, terms.bell_out);
}

void RawDirect::give_up_bells() {
    for (const std::uint32_t number : {terms.bell_in, terms.bell_out})
        peer_->close_peer_bell(number);
}

void RawDirect::begin() {
    own.layout().open.store(1, std::memory_order_release);
    ring();
}

void RawDirect::ring() {
    const shm::DoorbellWaker waker(bell_out->page.at<abi::DoorbellLayout>());
    (void)waker.ring(terms.peer_ready_bit % abi::kDoorbellBits);
    const char byte = 1;
    (void)::send(bell_out->socket.get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

std::optional<RawGrant> RawDirect::resolve(std::uint32_t handle) {
    auto request = control::make<abi::ResolveRequest>(abi::Request::resolve);
    request.queue_pair = queue_pair_;
    request.handle = handle;
    RawGrant grant;
    auto reply = peer_->channel().call<abi::ResolveReply>(request, -1, &grant.file);
    if (!reply.has_value())
        return std::nullopt;
    grant.terms = *reply;
    grant.memory =
        platform::Mapping::map(grant.file.get(), std::min(grant.terms.size, abi::kRegionPart))
            .value();
    return grant;
}

bool RawDirect::post_receive(const abi::DataSegment& segment) {
    if (receives.produced() - receive_completions.consumed() >= receives.entries())
        return false;
    abi::Descriptor receive = make_descriptor(abi::Opcode::receive, 0);
    receive.control.segments = 1;
    receive.data[0] = segment;
    receives.publish(receive);
    return true;
}

bool RawDirect::send_small(std::span<const std::byte> bytes) {
    abi::Descriptor posted;
    if (!peer_receives.peek(posted))
        return false;
    abi::Completion completion{};
    completion.opcode = static_cast<std::uint8_t>(abi::Opcode::receive);
    completion.flags = abi::completion_flag::kPayload;
    completion.slot = peer_receives.next_slot();
    completion.length = static_cast<std::uint32_t>(bytes.size());
    completion.sequence = sequence_++;
    std::memcpy(completion.payload, bytes.data(), bytes.size());
    peer_receives.advance();
    complete(completion);
    return true;
}

std::uint32_t RawDirect::take_receives() {
    std::uint32_t taken = 0;
    abi::Completion ignored;
    for (; receive_completions.peek(ignored); ++taken)
        receive_completions.advance();
    own.layout().receive_completions_read.store(receive_completions.consumed(),
                                                std::memory_order_release);
    return taken;
}

}  // namespace causeway::test
