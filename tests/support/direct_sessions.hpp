// Executor direct seen through raw requests: a region of a raw session, one of its queue pairs, and
// two sessions that are connected, but have fetched nothing yet. Who needs the memory mapped and a
// peer that behaves as long as it should takes RawDirect (raw_direct.hpp).
//
// Threading: one thread. Ownership: RawMemory and RawEnd own files and mappings; a RawEnd borrows
// its session.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "platform/mapping.hpp"
#include "support/in_process_adapter.hpp"
#include "support/raw_client.hpp"

namespace causeway::test {

[[nodiscard]] inline abi::OpenDirectRequest open_direct_request(std::uint32_t pair,
                                                                std::uint32_t side) {
    auto request = control::make<abi::OpenDirectRequest>(abi::Request::open_direct);
    request.queue_pair = pair;
    request.side = side;
    return request;
}

[[nodiscard]] inline abi::OpenDirectRequest open_direct_request(std::uint32_t pair,
                                                                abi::DirectSide side) {
    return open_direct_request(pair, static_cast<std::uint32_t>(side));
}

[[nodiscard]] inline abi::ResolveRequest resolve_request(std::uint32_t pair, std::uint32_t handle,
                                                         std::uint32_t part = 0) {
    auto request = control::make<abi::ResolveRequest>(abi::Request::resolve);
    request.queue_pair = pair;
    request.handle = handle;
    request.part = part;
    return request;
}

// A region: the reply and the files that it stands in.
struct RawMemory {
    RawMemory(RawSession& session, std::uint64_t size, std::uint32_t rights) {
        auto request = register_request(size);
        request.rights = rights;
        for (std::uint64_t left = size; left != 0; ++request.part) {
            const std::uint64_t part = std::min(left, abi::kRegionPart);
            left -= part;
            files.push_back(region_file(part));
            reply =
                session.client.call(request, files.back().get()).value().as<abi::RegisterReply>();
        }
    }
    std::vector<platform::UniqueFd> files;
    abi::RegisterReply reply;
};

// A queue pair, and what its end of a direct connection may ask for.
struct RawEnd {
    RawEnd(RawSession& owner, std::uint32_t completions, const abi::QueuePairShape& shape)
        : session(owner) {
        auto request = create_request(completions);
        request.shape = shape;
        auto answer = owner.client.call(request).value();
        created = answer.as<abi::CreateQueuePairReply>();
        memory = platform::Mapping::map(answer.descriptor.get(), created.memory_size).value();
    }
    [[nodiscard]] std::uint32_t id() const { return created.queue_pair; }
    [[nodiscard]] abi::QueuePairLayout& layout() const {
        return *memory.at<abi::QueuePairLayout>();
    }
    [[nodiscard]] bool becomes(abi::QueuePairState state) const {
        return eventually(
            [&] { return layout().state.load() == static_cast<std::uint32_t>(state); });
    }
    // DirectSide, or a number that is none.
    template<typename Side>
    [[nodiscard]] RawReply open(Side side) const {
        return session.client.call(open_direct_request(id(), side)).value();
    }
    [[nodiscard]] RawReply resolve(std::uint32_t handle, std::uint32_t part = 0) const {
        return session.client.call(resolve_request(id(), handle, part)).value();
    }

    RawSession& session;
    abi::CreateQueuePairReply created;
    platform::Mapping memory;
};

// Two partitions, connected by executor direct. Of their connection, only `from` has fetched
// anything: its own inbound memory.
struct DirectSessions {
    explicit DirectSessions(const std::string& socket, const std::string& prefix = "direct")
        : from(socket, prefix + "-from"),
          to(socket, prefix + "-to"),
          queue_from(from.open_completions()),
          queue_to(to.open_completions()),
          listener(to.listen("service", 1024)),
          target(prefix + "-to/service"),
          region(to, 4096, abi::right::kExportable | abi::right::kRemoteWrite) {
        const RawReply accepted = connect_another();
        if (!accepted.ok())
            throw std::runtime_error("no direct connection: " + accepted.text());
        terms = from.client.call(open_direct_request(pair_from, abi::DirectSide::own))
                    .value()
                    .as<abi::OpenDirectReply>();
    }
    // One more queue pair on each side; the answer to accept.
    RawReply connect_another() {
        pair_from = from.create_queue_pair(queue_from);
        pair_to = to.create_queue_pair(queue_to);
        auto connect = connect_request(pair_from, target);
        connect.executor = static_cast<std::uint32_t>(abi::Executor::direct);
        (void)from.client.call(connect).value().as<abi::ConnectReply>();
        auto accept = accept_request(listener, pair_to);
        accept.executor = static_cast<std::uint32_t>(abi::Executor::direct);
        return to.client.call(accept).value();
    }
    // A bell of `from`'s.
    [[nodiscard]] abi::OpenDoorbellRequest bell_request(abi::DoorbellKind kind) const {
        auto request = doorbell_request(kind);
        request.index = kind == abi::DoorbellKind::bell_in ? terms.bell_in : terms.bell_out;
        return request;
    }
    [[nodiscard]] RawReply open_bell(abi::DoorbellKind kind) {
        return from.client.call(bell_request(kind)).value();
    }

    RawSession from;
    RawSession to;
    std::uint32_t queue_from;
    std::uint32_t queue_to;
    std::uint32_t listener;
    std::string target;
    RawMemory region;  // of `to`
    std::uint32_t pair_from = 0;
    std::uint32_t pair_to = 0;
    abi::OpenDirectReply terms{};
};

}  // namespace causeway::test
