// Holder: a partition with one of everything, spoken by hand, and how it hands all of that to the
// next adapter.
//
// Threading: one thread. Errors of its first requests throw: a test expects those to work.
#pragma once

#include <algorithm>
#include <causeway/abi/queue_pair.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "platform/mapping.hpp"
#include "support/raw_client.hpp"

namespace causeway::test {

struct Holder {
    Holder(const std::string& socket, const std::string& name) : session(socket, name) {
        bell(abi::DoorbellKind::events, 0);
        completions = bell(abi::DoorbellKind::completions, 0);
        bell(abi::DoorbellKind::mover, 0);
        auto reply = session.client.call(create_request(completions)).value();
        pair = reply.as<abi::CreateQueuePairReply>();
        pair_memory = std::move(reply.descriptor);
        region_memory = region_file(kSize);
        auto request = control::make<abi::RegisterRequest>(abi::Request::register_region);
        request.size = kSize;
        request.rights = abi::right::kRemoteWrite | abi::right::kAppend;
        request.parts = 1;
        region = session.client.call(request, region_memory.get()).value().as<abi::RegisterReply>();
    }
    std::uint32_t bell(abi::DoorbellKind kind, std::uint32_t index) {
        auto request = doorbell_request(kind);
        request.index = index;
        auto reply = session.client.call(request).value();
        const auto id = reply.as<abi::OpenDoorbellReply>().doorbell;
        bells.emplace_back(id, std::move(reply.descriptor));
        return id;
    }

    // The first request of the next connection.
    [[nodiscard]] abi::AttachRequest resume_request() const {
        auto request = attach_request(session.attached.name);
        request.flags = abi::attach_flag::kResume;
        request.session = session.attached.session;
        std::copy_n(session.attached.token, abi::kTokenSize, request.token);
        return request;
    }
    void attach_again(const std::string& socket) { back.emplace(socket, resume_request()); }
    [[nodiscard]] RawReply hand_over_bell(std::size_t i) {
        auto request = control::make<abi::ResumeDoorbellRequest>(abi::Request::resume_doorbell);
        request.doorbell = bells[i].first;
        return back->client.call(request, bells[i].second.get()).value();
    }
    [[nodiscard]] RawReply hand_over_region(int memory) {
        auto request = control::make<abi::ResumeRegionRequest>(abi::Request::resume_region);
        request.handle = region.handle;
        request.generation = region.generation;
        return back->client.call(request, memory).value();
    }
    [[nodiscard]] RawReply hand_over_pair(std::uint32_t id, int memory) {
        auto request = control::make<abi::ResumeQueuePairRequest>(abi::Request::resume_queue_pair);
        request.queue_pair = id;
        return back->client.call(request, memory).value();
    }
    [[nodiscard]] RawReply done() {
        return back->client.call(control::make<abi::ResumeDoneRequest>(abi::Request::resume_done))
            .value();
    }
    // With everything. What was refused and why; nothing: all is back.
    [[nodiscard]] std::string come_back(const std::string& socket) {
        attach_again(socket);
        for (std::size_t i = 0; i < bells.size(); ++i) {
            const RawReply reply = hand_over_bell(i);
            if (!reply.ok() || !reply.descriptor)
                return "doorbell: " + reply.text();
        }
        if (const RawReply reply = hand_over_region(region_memory.get()); !reply.ok())
            return "region: " + reply.text();
        if (const RawReply reply = hand_over_pair(pair.queue_pair, pair_memory.get()); !reply.ok())
            return "queue pair: " + reply.text();
        return done().text();
    }
    [[nodiscard]] abi::QueuePairState state() const {
        const auto mapping =
            platform::Mapping::map(pair_memory.get(), sizeof(abi::QueuePairLayout)).value();
        return static_cast<abi::QueuePairState>(
            mapping.at<abi::QueuePairLayout>()->state.load(std::memory_order_acquire));
    }

    static constexpr std::uint64_t kSize = 64 << 10;
    RawSession session;
    std::vector<std::pair<std::uint32_t, platform::UniqueFd>> bells;
    std::uint32_t completions = 0;
    abi::CreateQueuePairReply pair{};
    platform::UniqueFd pair_memory;
    abi::RegisterReply region{};
    platform::UniqueFd region_memory;
    std::optional<RawSession> back;
};

}  // namespace causeway::test
