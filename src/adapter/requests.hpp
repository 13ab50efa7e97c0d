// The requests of an attached session, one handler each, split by theme over requests_*.cpp.
//
// Threading: control thread. Handlers never wait: what takes time goes to the worker or a mover and
// is answered late.
//
// Invariants:
//  1. Every field of a request is checked before anything is changed; a refused request leaves the
//     partition as it was.
//  2. A handler that answers late has made everything safe against the session's ending meanwhile.
#pragma once

#include <span>

#include "adapter/fabric.hpp"
#include "adapter/reply.hpp"

namespace causeway::adapter {

// Everything, or what one partition has; none may be there.
struct View {
    bool all;
    const Partition* only;
};

struct Call {
    Fabric& fabric;
    Partition* partition;         // null: an observer
    const std::string& entrance;  // by which it came in; empty: the open one
    abi::Header header;
    std::span<const std::byte> bytes;
    platform::UniqueFd descriptor;
    // Takes the right to answer later; the handler then returns std::nullopt.
    std::function<LateReply()> answer_later;

    // What listings are of.
    [[nodiscard]] View view() const {
        if (entrance.empty())
            return {.all = true, .only = nullptr};
        return {.all = false, .only = fabric.find(entrance)};
    }
    template<control::Message T>
    [[nodiscard]] T reply() const {
        return control::make_reply<T>(header);
    }
};

// Finds the handler and lets it answer. What is left in call.descriptor was not taken.
[[nodiscard]] Answer handle(Call& call);

// requests_doorbells.cpp
[[nodiscard]] Answer open_doorbell(Call& call);
[[nodiscard]] Answer wakeup_socket(Call& call);
[[nodiscard]] Answer close_doorbell(Call& call);
[[nodiscard]] Answer resume_doorbell(Call& call);
// requests_regions.cpp
[[nodiscard]] Answer register_region(Call& call);
[[nodiscard]] Answer resume_region(Call& call);
[[nodiscard]] Answer deregister_region(Call& call);
[[nodiscard]] Answer narrow_region(Call& call);
[[nodiscard]] Answer region_status(Call& call);
// requests_queue_pairs.cpp
[[nodiscard]] Answer create_queue_pair(Call& call);
[[nodiscard]] Answer resume_queue_pair(Call& call);
[[nodiscard]] Answer resume_done(Call& call);
[[nodiscard]] Answer disconnect(Call& call);
// requests_connect.cpp
[[nodiscard]] Answer listen(Call& call);
[[nodiscard]] Answer close_listener(Call& call);
[[nodiscard]] Answer connect(Call& call);
[[nodiscard]] Answer accept(Call& call);
// requests_direct.cpp
[[nodiscard]] Answer open_direct(Call& call);
[[nodiscard]] Answer resolve(Call& call);
// requests_policy.cpp
[[nodiscard]] Answer explain(Call& call);
// requests_segments.cpp
[[nodiscard]] Answer open_segment(Call& call);
[[nodiscard]] Answer copy_segment(Call& call);
[[nodiscard]] Answer close_segment(Call& call);
[[nodiscard]] Answer segment_status(Call& call);
[[nodiscard]] Answer resume_segment(Call& call);
// requests_bus.cpp
[[nodiscard]] Answer bus(Call& call);
// requests_stats.cpp
[[nodiscard]] Answer stats(Call& call);

// The partition's doorbell for events, made now if there is none yet.
[[nodiscard]] Result<std::shared_ptr<Doorbell>> events_of(Fabric& fabric, Partition& partition);

}  // namespace causeway::adapter
