# The laboratory (bench/): what `make bench` runs. bench/lab is the program that plans, runs and reports; each folder
# of bench/peers/ is one program under measurement. The ones that need nothing beyond the build's own packages are part
# of an ordinary build of everything, so that the tests can try them; the others are built where their library is
# installed and CAUSEWAY_BENCH is on.

add_custom_target(laboratory)  # without other people's libraries
add_custom_target(benchmarks)
add_dependencies(benchmarks laboratory)

add_library(causeway_peer STATIC EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/bench/peer/peer.cpp)
target_include_directories(causeway_peer PUBLIC ${PROJECT_SOURCE_DIR}/bench)
target_link_libraries(causeway_peer PUBLIC causeway_perf CLI11::CLI11)

# causeway_peer(<name> [<library>...]): bench/peers/<name>/*.cpp becomes bench_peer_<name>.
function(causeway_peer name)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/peers/${name}/*.cpp)
    add_executable(bench_peer_${name} ${sources})
    target_link_libraries(bench_peer_${name} PRIVATE causeway_peer ${ARGN})
    if(ARGN)
        add_dependencies(benchmarks bench_peer_${name})
    else()
        add_dependencies(laboratory bench_peer_${name})
    endif()
endfunction()

causeway_peer(limits)
causeway_peer(streams)
causeway_peer(causeway)

file(GLOB lab_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/lab/*.cpp)
list(REMOVE_ITEM lab_sources ${PROJECT_SOURCE_DIR}/bench/lab/main.cpp)
add_library(causeway_lab STATIC EXCLUDE_FROM_ALL ${lab_sources})
target_include_directories(causeway_lab PUBLIC ${PROJECT_SOURCE_DIR}/bench)
target_link_libraries(causeway_lab PUBLIC causeway_perf)
add_executable(bench_lab ${PROJECT_SOURCE_DIR}/bench/lab/main.cpp)
target_link_libraries(bench_lab PRIVATE causeway_lab CLI11::CLI11)
add_dependencies(laboratory bench_lab)

file(GLOB neighbours_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/neighbours/*.cpp)
add_executable(bench_neighbours ${neighbours_sources})
target_link_libraries(bench_neighbours PRIVATE causeway_peer)
add_dependencies(laboratory bench_neighbours)

if(CAUSEWAY_BENCH)
    find_package(PkgConfig QUIET)
    # causeway_peer_with(<name> <pkg-config module>...)
    function(causeway_peer_with name)
        if(NOT PkgConfig_FOUND)
            return()
        endif()
        pkg_check_modules(BENCH_${name} QUIET IMPORTED_TARGET ${ARGN})
        if(BENCH_${name}_FOUND)
            causeway_peer(${name} PkgConfig::BENCH_${name})
        else()
            message(STATUS "Without bench_peer_${name}: no development files of ${ARGN}")
        endif()
    endfunction()
    causeway_peer_with(ucx ucx)
    causeway_peer_with(fabric libfabric)
    causeway_peer_with(zeromq libzmq)
    find_package(iceoryx_posh QUIET)
    if(iceoryx_posh_FOUND)
        causeway_peer(iceoryx iceoryx_posh::iceoryx_posh)
    else()
        message(STATUS "Without bench_peer_iceoryx: no development files of iceoryx_posh")
    endif()

    # Message queues and requests next to ZeroMQ and gRPC; what protoc writes stays in the build folder.
    find_program(PROTOC protoc)
    find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin)
    if(PkgConfig_FOUND)
        pkg_check_modules(BENCH_grpc QUIET IMPORTED_TARGET grpc++ protobuf)
    endif()
    if(PROTOC AND GRPC_CPP_PLUGIN AND BENCH_grpc_FOUND AND BENCH_zeromq_FOUND)
        set(ipc_generated ${PROJECT_BINARY_DIR}/bench/ipc)
        file(MAKE_DIRECTORY ${ipc_generated})
        set(ipc_echo ${ipc_generated}/echo.pb.cc ${ipc_generated}/echo.grpc.pb.cc)
        add_custom_command(OUTPUT ${ipc_echo} ${ipc_generated}/echo.grpc.pb.h
            COMMAND ${PROTOC} --proto_path=${PROJECT_SOURCE_DIR}/bench/ipc --cpp_out=${ipc_generated}
                --grpc_out=${ipc_generated} --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} echo.proto
            DEPENDS ${PROJECT_SOURCE_DIR}/bench/ipc/echo.proto VERBATIM)
        add_library(bench_ipc_echo STATIC EXCLUDE_FROM_ALL ${ipc_echo})
        target_include_directories(bench_ipc_echo SYSTEM PUBLIC ${ipc_generated})
        target_compile_options(bench_ipc_echo PRIVATE -w)  # not our code
        target_link_libraries(bench_ipc_echo PUBLIC PkgConfig::BENCH_grpc)
        file(GLOB ipc_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/ipc/*.cpp)
        add_executable(bench_ipc ${ipc_sources})
        target_include_directories(bench_ipc PRIVATE ${PROJECT_SOURCE_DIR}/bench)
        target_link_libraries(bench_ipc PRIVATE
            causeway_ipc causeway_perf bench_ipc_echo PkgConfig::BENCH_zeromq)
        add_dependencies(benchmarks bench_ipc)
    else()
        message(STATUS "Without bench_ipc: no development files of grpc++ or libzmq, or no protoc")
    endif()

    # The engine's pieces against straight copies, on the core pair of `causeway calibrate`.
    add_executable(bench_pieces
        ${PROJECT_SOURCE_DIR}/bench/pieces/main.cpp ${tool_dir}/calibrate/core_pair.cpp)
    target_include_directories(bench_pieces PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(bench_pieces PRIVATE causeway_perf)
    add_dependencies(benchmarks bench_pieces)
endif()
