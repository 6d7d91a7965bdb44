"""`get_file` and safe extraction. Each failure test also checks what is left on disk."""

import hashlib
import inspect
import io
import os
import stat
import sys
import tarfile
import zipfile

import pytest

from jaxkeras.utils.file_utils import (
    DownloadError,
    cache_home,
    extract_archive,
    get_file,
    keras_home,
    validate_file,
)
from tests.loopback import serve

CONTENT = b"The quick brown fox\n" * 50
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server():
    with serve() as files:
        files.files["/fox.txt"] = CONTENT
        yield files


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras"


def tree(folder):
    """Map relative paths to file contents, and to targets for links."""
    return {
        str(path.relative_to(folder)): f"-> {os.readlink(path)}" if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def tar_of(*members, mode="w:gz"):
    """Pack (name, bytes) as files, (name, "sym:..." or "hard:...") as links, (name, None) as folders."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, what in members:
            info = tarfile.TarInfo(name)
            if isinstance(what, bytes):
                info.size = len(what)
                archive.addfile(info, io.BytesIO(what))
                continue
            if what is None:
                info.type = tarfile.DIRTYPE
            elif what == "fifo":
                info.type = tarfile.FIFOTYPE
            else:
                kind, _, info.linkname = what.partition(":")
                info.type = {"sym": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}[kind]
            archive.addfile(info)
    return buffer.getvalue()


def zip_of(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, what in members:
            archive.writestr(name, what)
    return buffer.getvalue()


def test_signature_equals_keras():
    keras = pytest.importorskip("keras")
    theirs = inspect.signature(keras.utils.get_file).parameters
    ours = inspect.signature(get_file).parameters
    assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in theirs.values()]


def test_file_is_downloaded_once_with_a_progress_bar(server, home, capsys):
    path = get_file(origin=f"{server.url}/fox.txt?version=2")
    assert path == str(home / "datasets" / "fox.txt")
    first, last = capsys.readouterr().out.splitlines()
    assert first == "Downloading fox.txt" and last.startswith("1/1 ━")
    assert get_file(origin=f"{server.url}/fox.txt?version=2") == path
    assert server.requests == ["/fox.txt?version=2"]


def test_download_of_unknown_length(server, home):
    server.announce_length = False
    get_file("fox", f"{server.url}/fox.txt", file_hash=SHA256)
    assert tree(home) == {"datasets/fox": CONTENT}


@pytest.mark.parametrize("kwargs", [{"file_hash": SHA256}, {"file_hash": MD5.upper()}, {"md5_hash": MD5}])
def test_md5_and_sha256_hashes(server, home, kwargs):
    for _ in range(2):
        get_file(origin=f"{server.url}/fox.txt", **kwargs)
    assert server.requests == ["/fox.txt"]


def test_wrong_hash_leaves_no_file(server, home):
    with pytest.raises(ValueError, match="corrupted.*0000"):
        get_file(origin=f"{server.url}/fox.txt", file_hash="0" * 64)
    assert tree(home) == {}


def test_outdated_file_is_replaced(server, home):
    path = get_file(origin=f"{server.url}/fox.txt")
    with open(path, "wb") as out:
        out.write(b"old")
    with pytest.warns(UserWarning, match="Downloading it again"):
        get_file(origin=f"{server.url}/fox.txt", file_hash=SHA256)
    assert tree(home) == {"datasets/fox.txt": CONTENT}


def test_failed_download_keeps_the_outdated_file(server, home):
    path = get_file(origin=f"{server.url}/fox.txt")
    server.claimed_extra = 7
    with pytest.raises(DownloadError, match="1000 of 1007"):
        get_file(origin=f"{server.url}/fox.txt", force_download=True)
    assert tree(home) == {"datasets/fox.txt": CONTENT}
    assert validate_file(path, SHA256)


def test_force_download(server):
    for _ in range(2):
        get_file(origin=f"{server.url}/fox.txt", force_download=True)
    assert len(server.requests) == 2


def test_404_raises(server, home):
    with pytest.raises(DownloadError, match="404"):
        get_file(origin=f"{server.url}/cat.txt")
    assert tree(home) == {}


def test_unreachable_server_raises(home):
    with serve() as gone:
        pass
    with pytest.raises(DownloadError, match="Could not download http://127"):
        get_file(origin=f"{gone.url}/fox.txt")
    assert tree(home) == {}


@pytest.mark.parametrize(
    "kwargs, message",
    [
        ({}, "needs the URL"),
        ({"origin": "http://127.0.0.1/"}, "does not end in a file name"),
        ({"origin": "http://127.0.0.1/a/.."}, "not a plain file name"),
        ({"fname": os.path.join("a", "b"), "origin": "http://127.0.0.1/b"}, "cache_dir"),
        ({"origin": "http://127.0.0.1/b", "file_hash": "123"}, "3 characters"),
        ({"origin": "http://127.0.0.1/b", "file_hash": SHA256, "hash_algorithm": "sha1"}, "sha1"),
    ],
)
def test_invalid_arguments_raise(kwargs, message):
    with pytest.raises(ValueError, match=message):
        get_file(**kwargs)


@pytest.mark.parametrize("suffix", ["cache", "new/folder"])
def test_cache_locations(server, tmp_path, suffix):
    path = get_file("a.txt", f"{server.url}/fox.txt", cache_dir=tmp_path / suffix, cache_subdir="sub")
    assert path == str(tmp_path / suffix / "sub" / "a.txt")
    absolute = get_file("a.txt", f"{server.url}/fox.txt", cache_subdir=str(tmp_path / "elsewhere"))
    assert absolute == str(tmp_path / "elsewhere" / "a.txt")


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs users")
def test_unwritable_cache_falls_back_to_a_private_folder(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with pytest.warns(UserWarning, match="Cannot write to"):
        path = get_file(origin=f"{server.url}/fox.txt", cache_dir=tmp_path / "file" / "below")
    private = tmp_path / "tmp" / f".keras-{os.getuid()}"
    assert path == str(private / "datasets" / "fox.txt")
    assert stat.S_IMODE(private.stat().st_mode) == 0o700

    private.rename(tmp_path / "planted")
    private.symlink_to(tmp_path / "planted")
    with pytest.raises(PermissionError, match="another user"):
        get_file(origin=f"{server.url}/fox.txt", cache_dir=tmp_path / "file" / "below")


# As in Keras, names depend on whether fname is given and has a dot.
@pytest.mark.parametrize(
    "fname, archive, folder",
    [(None, "p.tgz_archive", "p.tgz"), ("pets", "pets_archive", "pets"), ("pets.tar.gz",) * 2 + ("pets_extracted",)],
)
@pytest.mark.parametrize(
    "kwargs", [{"extract": True}, {"untar": True}, {"extract": True, "archive_format": ["zip", "tar"]}]
)
def test_extraction(server, home, fname, archive, folder, kwargs):
    server.files["/p.tgz"] = tar_of(("pets", None), ("pets/cat", b"meow"), ("pets/alias", "sym:cat"))
    path = get_file(fname, f"{server.url}/p.tgz", **kwargs)
    assert path == str(home / "datasets" / folder)
    assert sorted(os.listdir(home / "datasets")) == sorted([archive, folder])
    assert tree(home / "datasets" / folder) == {"pets/cat": b"meow", "pets/alias": "-> cat"}


def test_extracting_again_restores_files_and_keeps_others(server, home):
    server.files["/p.zip"] = zip_of(("cat", b"meow"), ("sub/dog", b"woof"))
    folder = home / "datasets" / "pets"
    for _ in range(2):
        get_file("pets", f"{server.url}/p.zip", extract=True)
        assert tree(folder).items() >= {"cat": b"meow", "sub/dog": b"woof"}.items()
        (folder / "cat").write_bytes(b"changed")
        (folder / "notes").write_bytes(b"mine")
    assert tree(folder)["notes"] == b"mine"
    assert server.requests == ["/p.zip"]


def test_extract_of_a_plain_file_warns(server, home):
    with pytest.warns(UserWarning, match="not an archive"):
        path = get_file("fox", f"{server.url}/fox.txt", extract=True)
    assert path == str(home / "datasets" / "fox") and not os.path.exists(path)


OUTSIDE = [
    ("../evil", b"x"),
    ("/tmp/jaxkeras-evil", b"x"),
    ("a/../../evil", b"x"),
    ("link", "sym:../evil"),
    ("link", "sym:/etc"),
    ("link", "sym:nowhere"),
    ("link", "hard:../secret"),
    ("link", "hard:sub"),
    ("../link", "sym:sub"),
    ("pipe", "fifo"),
]


@pytest.mark.parametrize("member", OUTSIDE, ids=str)
def test_tar_members_cannot_escape_the_folder(tmp_path, member):
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "a.tar").write_bytes(tar_of(("sub/good", b"good"), member, mode="w"))
    with pytest.warns(UserWarning, match="Skipped"):
        assert extract_archive(tmp_path / "a.tar", tmp_path / "out")
    assert tree(tmp_path / "out") == {"sub/good": b"good"}
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "out", "secret"]
    assert not os.path.lexists("/tmp/jaxkeras-evil")


def test_zip_members_cannot_escape_the_folder(tmp_path):
    (tmp_path / "a.zip").write_bytes(zip_of(("good", b"good"), ("../evil", b"x")))
    with pytest.warns(UserWarning, match="Skipped"):
        assert extract_archive(tmp_path / "a.zip", tmp_path / "out")
    assert tree(tmp_path / "out") == {"good": b"good"}
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "out"]


def test_file_under_a_link_stays_inside_the_folder(tmp_path):
    # The link comes first in the archive; if created first, it would redirect the file outside.
    (tmp_path / "a.tar").write_bytes(tar_of(("door", f"sym:{tmp_path}"), ("door/evil", b"x"), mode="w"))
    with pytest.warns(UserWarning, match="Skipped 'door'"):
        extract_archive(tmp_path / "a.tar", tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "out"]
    assert tree(tmp_path / "out") == {"door/evil": b"x"}


def test_links_cannot_redirect_other_links(tmp_path):
    # Harmless while d/x does not exist; once it does, d/x/../.. resolves to the parent folder.
    members = [("door", "sym:d/x/../.."), ("d", None), ("d/x", "sym:.."), ("door/evil", "hard:good"), ("good", b"good")]
    (tmp_path / "a.tar").write_bytes(tar_of(*members, mode="w"))
    with pytest.warns(UserWarning, match="Skipped"):
        extract_archive(tmp_path / "a.tar", tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "out"]
    for path in (tmp_path / "out").rglob("*"):
        assert path.resolve().is_relative_to(tmp_path / "out")


def test_internal_links_are_kept_in_any_order(tmp_path):
    members = [("second", "sym:first"), ("first", "sym:sub/good"), ("copy", "hard:sub/good"), ("sub/good", b"good")]
    (tmp_path / "a.tar").write_bytes(tar_of(*members, mode="w"))
    extract_archive(tmp_path / "a.tar", tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in ("first", "second", "copy")} == dict.fromkeys(
        ("first", "second", "copy"), b"good"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no executable bit")
def test_executable_bits_are_kept_and_the_umask_applies(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, mode in (("run", 0o4777), ("text", 0o666)):
            info = tarfile.TarInfo(name)
            info.mode = mode
            archive.addfile(info, io.BytesIO())
    (tmp_path / "a.tar").write_bytes(buffer.getvalue())
    before = os.umask(0o027)
    try:
        extract_archive(tmp_path / "a.tar", tmp_path / "out")
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) for name in ("run", "text")}
    assert modes == {"run": 0o750, "text": 0o640}


def test_damaged_archive_leaves_no_files(tmp_path):
    whole = tar_of(("good", b"good"), ("big", os.urandom(100_000)))
    (tmp_path / "a.tgz").write_bytes(whole[:-50_000])
    with pytest.raises((EOFError, tarfile.ReadError)):
        extract_archive(tmp_path / "a.tgz", tmp_path / "out")
    assert os.listdir(tmp_path) == ["a.tgz"]


def test_archive_formats(tmp_path):
    (tmp_path / "a.zip").write_bytes(zip_of(("good", b"good")))
    assert not extract_archive(tmp_path / "a.zip", tmp_path / "out", None)
    assert not extract_archive(tmp_path / "a.zip", tmp_path / "out", [])
    assert not extract_archive(tmp_path / "a.zip", tmp_path / "out", "tar")
    assert extract_archive(tmp_path / "a.zip", tmp_path / "out", "zip")
    with pytest.raises(ValueError, match="rar"):
        extract_archive(tmp_path / "a.zip", tmp_path / "out", "rar")


@pytest.mark.parametrize(
    "variables, expected",
    [
        ({"JAXKERAS_HOME": "/data/jk", "XDG_CACHE_HOME": "/xdg"}, "/data/jk"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/jaxkeras"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/jaxkeras"),
        ({}, "/home/me/.cache/jaxkeras"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX paths")
def test_home_folders(monkeypatch, variables, expected):
    for name in ("JAXKERAS_HOME", "XDG_CACHE_HOME", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_home() == expected
    assert keras_home() == "/home/me/.keras"
