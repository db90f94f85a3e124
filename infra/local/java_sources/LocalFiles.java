package slipstream;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ChecksumFs;
import org.apache.hadoop.fs.DelegateToFileSystem;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FsConstants;
import org.apache.hadoop.fs.FsServerDefaults;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.local.LocalConfigKeys;
import org.apache.hadoop.fs.permission.FsPermission;

/** Hadoop's local file system without a process for each permission that is set and each link that is looked for. */
public class LocalFiles extends RawLocalFileSystem {
    public void setPermission(Path path, FsPermission permission) throws IOException {
        if (permission.getStickyBit()) { // Java has no word for it
            super.setPermission(path, permission);
            return;
        }
        Files.setPosixFilePermissions(pathToFile(path).toPath(), PosixFilePermissions.fromString(permission.toString()));
    }

    public FileStatus getFileLinkStatus(Path path) throws IOException {
        return Files.isSymbolicLink(pathToFile(path).toPath()) ? super.getFileLinkStatus(path) : getFileStatus(path);
    }

    /**
     * Lists the log of a table without looking at each of its files: Delta asks for all of them at each commit, and then
     * looks at the last ones alone.
     */
    public FileStatus[] listStatus(Path path) throws IOException {
        if (!path.getName().equals("_delta_log")) return super.listStatus(path);
        String[] names = pathToFile(path).list();
        if (names == null) return super.listStatus(path);
        FileStatus[] found = new FileStatus[names.length];
        URI folder = makeQualified(path).toUri();
        int n = 0;
        for (int i = 0; i < names.length; i++) {
            if (names[i].charAt(0) == '.') continue; // checksums, which no one lists
            String place = folder.getPath() + "/" + names[i];
            found[n++] = new LogFile(new Path(folder.getScheme(), folder.getAuthority(), place), new File(place));
        }
        FileStatus[] listed = new FileStatus[n];
        System.arraycopy(found, 0, listed, 0, n);
        return listed;
    }

    /** A file that is looked at when something is asked of it. */
    private static class LogFile extends FileStatus {
        private final File file;
        private FileStatus known;

        LogFile(Path path, File file) {
            super(0, false, 1, 0, 0, path);
            this.file = file;
        }

        private FileStatus known() {
            if (known == null) {
                known = new FileStatus(file.length(), file.isDirectory(), 1, 32 << 20, file.lastModified(), getPath());
            }
            return known;
        }

        public long getLen() {
            return known().getLen();
        }

        public boolean isDirectory() {
            return known().isDirectory();
        }

        public boolean isFile() {
            return known().isFile();
        }

        public long getBlockSize() {
            return known().getBlockSize();
        }

        public long getModificationTime() {
            return known().getModificationTime();
        }

        private Object writeReplace() {
            return known();
        }
    }

    /** The same with checksums, for {@code fs.file.impl}. */
    public static class Checked extends LocalFileSystem {
        public Checked() {
            super(new LocalFiles());
        }
    }

    /** The same for {@code fs.AbstractFileSystem.file.impl}, by which files are renamed at once. */
    public static class Context extends ChecksumFs {
        public Context(URI uri, Configuration conf) throws IOException, URISyntaxException {
            super(new Unchecked(conf));
        }
    }

    private static class Unchecked extends DelegateToFileSystem {
        Unchecked(Configuration conf) throws IOException, URISyntaxException {
            super(FsConstants.LOCAL_FS_URI, new LocalFiles(), conf, FsConstants.LOCAL_FS_URI.getScheme(), false);
        }

        public int getUriDefaultPort() {
            return -1;
        }

        public FsServerDefaults getServerDefaults(Path path) throws IOException {
            return LocalConfigKeys.getServerDefaults();
        }

        public FsServerDefaults getServerDefaults() throws IOException {
            return LocalConfigKeys.getServerDefaults();
        }

        public boolean isValidName(String name) {
            return true;
        }
    }
}
