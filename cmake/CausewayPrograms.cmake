# The programs in apps/, the examples, and `programs`: the target that a plain `make` builds.

add_custom_target(programs)
if(TARGET causeway)
    add_dependencies(programs causeway)
endif()

# causeway_program(<target> FOLDER <folder> OUTPUT <file name> ROOMS <room>...)
function(causeway_program target)
    cmake_parse_arguments(arg "" "FOLDER;OUTPUT" "ROOMS" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/apps/${arg_FOLDER}/*.cpp)
    if(NOT sources)
        return()
    endif()
    find_package(CLI11 REQUIRED)
    find_package(fmt REQUIRED)
    find_package(spdlog REQUIRED)
    find_package(nlohmann_json REQUIRED)
    add_executable(${target} ${sources})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_OUTPUT})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/apps/${arg_FOLDER})
    target_compile_definitions(${target} PRIVATE CAUSEWAY_VERSION="${PROJECT_VERSION}")
    target_link_libraries(${target} PRIVATE
        causeway_headers CLI11::CLI11 fmt::fmt spdlog::spdlog nlohmann_json::nlohmann_json)
    foreach(room IN LISTS arg_ROOMS)
        if(TARGET causeway_${room})
            target_link_libraries(${target} PRIVATE causeway_${room})
        endif()
    endforeach()
    add_dependencies(programs ${target})
    install(TARGETS ${target} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

causeway_program(causewayd FOLDER causewayd OUTPUT causewayd ROOMS adapter)
# The library's target is called causeway; the command-line tool of that name is causeway_cli here.
causeway_program(causeway_cli FOLDER causeway OUTPUT causeway ROOMS client)

# An example sees what a user of the library sees: the public headers and the shared library.
file(GLOB examples CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/examples/*.cpp ${PROJECT_SOURCE_DIR}/examples/*.c)
if(TARGET causeway)
    foreach(source IN LISTS examples)
        get_filename_component(stem ${source} NAME_WE)
        add_executable(example_${stem} ${source})
        target_link_libraries(example_${stem} PRIVATE causeway::causeway Threads::Threads)
        add_dependencies(programs example_${stem})
    endforeach()
endif()
