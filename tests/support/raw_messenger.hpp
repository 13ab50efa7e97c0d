// RawMessenger: an end of the messaging layer that is none: a queue pair of its own, on which it
// says whatever the test wants, byte by byte (abi/messaging.hpp).
//
// Threading: one thread. Ownership: owns partition, queue pair and memory.
#pragma once

#include <algorithm>
#include <causeway/abi/messaging.hpp>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "client/completion_queue.hpp"
#include "client/listener.hpp"
#include "client/queue_pair.hpp"
#include "client/region.hpp"

namespace causeway::test {

class RawMessenger {
public:
    using Hello = abi::messaging::Hello;
    using Header = abi::messaging::Header;
    using Bytes = std::vector<std::byte>;
    static constexpr std::uint32_t kReceives = 64;
    static constexpr std::uint32_t kReceive = 4096;
    static constexpr std::uint32_t kOut = 1 << 20;
    static constexpr std::uint64_t kSendId = 1'000'000;

    RawMessenger(const std::string& socket, const std::string& name, abi::Executor executor)
        : partition(client::Partition::attach(socket, name, {}).value()),
          queue(client::CompletionQueue::create(partition).value()),
          pair(partition, queue, terms(executor)),
          in(client::Region::allocate(partition, kReceives * kReceive,
                                      {.access = CW_ACCESS_EXPORTABLE})
                 .value()),
          large(client::Region::allocate(partition, kOut,
                                         {.access = CW_ACCESS_EXPORTABLE | CW_ACCESS_REMOTE_WRITE})
                    .value()),
          out(client::Region::allocate(partition, kOut, {.access = CW_ACCESS_EXPORTABLE}).value()) {
        pair.open().value();
        for (std::uint32_t i = 0; i < kReceives; ++i)
            post_receive(i);
    }

    // A greeting that any end takes.
    [[nodiscard]] Hello proper_hello(std::uint16_t service) const {
        Hello hello{};
        hello.magic = abi::messaging::kMagic;
        hello.major = abi::messaging::kMajor;
        hello.service = service;
        hello.messages = 16;
        hello.message_size = 1024;
        hello.buffers = 4;
        hello.buffer_size = 65'536;
        const cw_remote remote = large.remote(0);
        hello.handle = remote.handle;
        hello.generation = remote.generation;
        hello.address = remote.address;
        return hello;
    }
    [[nodiscard]] static Bytes bytes_of(const auto& record) {
        const auto* const at = reinterpret_cast<const std::byte*>(&record);
        return {at, at + sizeof record};
    }
    // A Header, and `length` bytes behind it.
    [[nodiscard]] static Bytes message(const Header& header, std::size_t length = 0) {
        Bytes bytes = bytes_of(header);
        bytes.resize(bytes.size() + length, std::byte{'x'});
        return bytes;
    }

    void send(std::span<const std::byte> bytes) { post(abi::Opcode::send, bytes, 0, 0, nullptr); }
    // Into a large buffer of the peer's, `offset` bytes behind its beginning.
    void write(std::uint32_t buffer, std::span<const std::byte> bytes,
               std::optional<std::uint32_t> immediate, std::uint64_t offset = 0) {
        const cw_remote to{theirs.handle, theirs.generation,
                           theirs.address + std::uint64_t{buffer} * theirs.buffer_size + offset};
        post(abi::Opcode::write, bytes, immediate ? CW_IMMEDIATE : 0U, immediate.value_or(0), &to);
    }
    // Takes what has come; the first message is the peer's Hello.
    void step() {
        cw_completion done[16];
        const int count = queue->poll(done, 16);
        for (int i = 0; i < count; ++i) {
            if (done[i].id >= kSendId) {
                ++sends_ended;
                last_send = done[i].status;
                continue;
            }
            if (done[i].status != CW_SUCCESS) {
                ended = true;
                continue;
            }
            const std::byte* const at = in.data() + done[i].id * kReceive;
            got.emplace_back(at, at + (done[i].opcode == CW_RECEIVE ? done[i].length : 0));
            if (!greeted && got.back().size() == sizeof theirs) {
                std::memcpy(&theirs, got.back().data(), sizeof theirs);
                greeted = true;
            }
            if (posts)
                post_receive(static_cast<std::uint32_t>(done[i].id));
        }
    }

    std::shared_ptr<client::Partition> partition;
    std::shared_ptr<client::CompletionQueue> queue;
    client::QueuePair pair;
    client::Region in;
    client::Region large;
    client::Region out;
    Hello theirs{};
    bool posts = true;  // each receive once more, when it was used
    bool greeted = false;
    bool ended = false;
    std::vector<Bytes> got;
    std::uint32_t sends_ended = 0;
    std::uint32_t last_send = CW_SUCCESS;
    std::uint32_t sends = 0;

private:
    [[nodiscard]] static client::QueuePairTerms terms(abi::Executor executor) {
        client::QueuePairTerms made;
        made.send_entries = 256;
        made.receive_entries = 256;
        made.executor = executor;
        return made;
    }
    void post_receive(std::uint32_t number) {
        const cw_slice slice{in.data() + std::size_t{number} * kReceive, kReceive, in.handle()};
        (void)pair.post_receive(&slice, 1, number);
    }
    void post(abi::Opcode opcode, std::span<const std::byte> bytes, std::uint32_t flags,
              std::uint32_t immediate, const cw_remote* to) {
        // Nothing that is still being sent is written over.
        at_ = at_ + bytes.size() > kOut ? 0 : at_;
        std::byte* const at = out.data() + at_;
        at_ += (bytes.size() + 63) / 64 * 64;
        std::copy(bytes.begin(), bytes.end(), at);
        const cw_slice slice{at, static_cast<std::uint32_t>(bytes.size()), out.handle()};
        const ErrorCode code =
            pair.post_send({opcode, kSendId + sends, flags, immediate, to}, &slice, 1);
        if (code != ErrorCode::none)
            throw std::runtime_error(std::string("a raw send: ") + error_name(code));
        ++sends;
    }

    std::uint64_t at_ = 0;
};

}  // namespace causeway::test
