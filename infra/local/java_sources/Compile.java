import java.io.File;
import org.codehaus.janino.Compiler;

/** Compiles a Java source into a folder by the compiler that Spark brings: a machine need have no other. */
public class Compile {
    public static void main(String[] args) throws Exception {
        String[] jars = System.getProperty("java.class.path").split(File.pathSeparator);
        File[] path = new File[jars.length];
        for (int i = 0; i < jars.length; i++) path[i] = new File(jars[i]);
        Compiler compiler = new Compiler();
        compiler.setClassPath(path);
        compiler.setDestinationDirectory(new File(args[1]), false);
        compiler.compile(new File[] {new File(args[0])});
    }
}
