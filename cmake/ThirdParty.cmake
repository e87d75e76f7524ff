# Imported targets for what Debian 12 does not package: ONNX Runtime and hnswlib.
# scripts/lib/deps.sh fetches them (pinned, checksummed) into BREVET_THIRD_PARTY; nothing is downloaded at configure time.
if(DEFINED ENV{BREVET_THIRD_PARTY})
  set(third_party_default $ENV{BREVET_THIRD_PARTY})
else()
  set(third_party_default ${CMAKE_SOURCE_DIR}/third_party)
endif()
set(BREVET_THIRD_PARTY ${third_party_default} CACHE PATH "Folder filled by scripts/lib/deps.sh")

set(onnxruntime_library ${BREVET_THIRD_PARTY}/onnxruntime/lib/libonnxruntime.so.1)
set(onnxruntime_headers ${BREVET_THIRD_PARTY}/onnxruntime/include)
set(hnswlib_headers ${BREVET_THIRD_PARTY}/hnswlib/include)
foreach(file ${onnxruntime_library} ${onnxruntime_headers}/onnxruntime_cxx_api.h ${hnswlib_headers}/hnswlib/hnswlib.h)
  if(NOT EXISTS ${file})
    message(FATAL_ERROR "${file} is missing. Run scripts/lib/deps.sh (scripts/run and scripts/test do it for you).")
  endif()
endforeach()

# An imported shared library puts its folder into the RPATH of what links it, so the program starts from the build tree
# without LD_LIBRARY_PATH. Include folders of imported targets are system folders: their warnings are not ours.
add_library(onnxruntime::onnxruntime SHARED IMPORTED)
set_target_properties(onnxruntime::onnxruntime PROPERTIES
  IMPORTED_LOCATION ${onnxruntime_library}
  IMPORTED_SONAME libonnxruntime.so.1
  INTERFACE_INCLUDE_DIRECTORIES ${onnxruntime_headers})

add_library(hnswlib::hnswlib INTERFACE IMPORTED)
set_target_properties(hnswlib::hnswlib PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${hnswlib_headers})
