"""What a browser, or something else, may ask of `brainseg view`."""

import http.client
import os
import threading

import pytest

from brainseg.reporting.serve import server_of
from brainseg.results.names import INDEX


@pytest.fixture
def asked(tmp_path):
    """The status and content of an answer to GET."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / INDEX).write_text("the page")
    (tmp_path / "secret").write_text("secret")
    os.symlink(tmp_path / "secret", folder / "link")
    os.symlink("ring", folder / "ring")
    server, _ = server_of(folder, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def _asked(path):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection._validate_path = lambda path: None  # what a client of ill will leaves out
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()

    yield _asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "path",
    [
        "/%00",
        f"/{INDEX}%00",
        "/%ff%fe",
        "/%ed%a0%80",
        "/" + "a" * 5000,
        "/ring",
        "/link",
        "/../secret",
        "/%2e%2e/secret",
    ],
)
def test_a_name_that_no_file_of_the_folder_has_is_answered_with_404_and_no_traceback(path, asked, capfd):
    assert asked(path)[0] == 404
    assert asked(f"/{INDEX}") == (200, b"the page")
    assert capfd.readouterr().err == ""
